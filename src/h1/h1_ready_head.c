/* h1/h1_ready_head.c — the head of an answer whose fields are ready-made, as those of cached files
 * are: its pieces are known before, so they are laid one behind the other where the output chain has
 * room, without a look at each. On the loop. Byte for byte what h1_head.c would write. */
#include "h1/h1_head.h"

static bool is_ready_made(const struct response *response, const struct h1_answer *answer)
{
    bool has_framing = answer->framing == H1_FRAMING_NONE ||
                       (answer->framing == H1_FRAMING_LENGTH && response->has_ready_length);
    bool has_connection =
        answer->will_close || answer->is_http_1_0 || answer->upgrade.ptr || answer->offer.ptr;
    return has_framing && !has_connection && response->ready_fields.ptr && !response->fields;
}

/* Date and Server: the same for all answers of a second. */
static struct span common_lines(struct h1_driver *driver)
{
    int64_t now_s = loop_wall_s(driver->services->loop);
    if (driver->common_len == 0 || driver->common_second != now_s) {
        struct span date = h1_date_line_get(&driver->date, now_s);
        memcpy(driver->common_lines, date.ptr, date.len);
        memcpy(driver->common_lines + date.len, driver->server_line, driver->server_line_len);
        driver->common_len = date.len + driver->server_line_len;
        driver->common_second = now_s;
    }
    return span_make(driver->common_lines, driver->common_len);
}

static char *put(char *at, struct span piece)
{
    memcpy(at, piece.ptr, piece.len);
    return at + piece.len;
}

bool h1_ready_head_write(struct h1_session *session, const struct response *response,
                         const struct h1_answer *answer, int *ret_rc)
{
    struct span status = h1_status_line(answer->status);
    if (!status.ptr || !is_ready_made(response, answer)) {
        return false;
    }
    struct span common = common_lines(session->driver);
    size_t len = status.len + common.len + H1_NOSNIFF.len + response->ready_fields.len + 2;
    char *at = chain_add_room(&session->conn->out, len);
    *ret_rc = at ? GALLEY_OK : GALLEY_ENOMEM;
    if (at) {
        at = put(put(at, status), common);
        at = put(at, H1_NOSNIFF);
        at = put(at, response->ready_fields);
        at[0] = '\r';
        at[1] = '\n';
    }
    return true;
}
