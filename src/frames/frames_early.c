/* frames/frames_early.c — PRIORITY_UPDATE that comes ahead of its stream (RFC 9218 §7.1): kept until a request
 * with its id comes, or one with a higher id. On the session's loop, for frames_small.c and frames_block.c.
 *
 * The last of each stream, in the order of the ids, which clients mostly send; all ids are above
 * session->last_id. There is a list only while something is in it. What finds no room or no memory is
 * forgotten: it is advice. */
#include "base/alloc.h"

#include "frames/frames_receive.h"

/* The first that is not below id. New ones have mostly the highest: from the end. */
static unsigned place_of(const struct frames_early_list *list, int32_t id)
{
    unsigned at = list->count;
    while (at > 0 && list->entries[at - 1].id >= id) {
        at--;
    }
    return at;
}

static bool is_at(const struct frames_early_list *list, unsigned at, int32_t id)
{
    return at < list->count && list->entries[at].id == id;
}

/* RFC 9218 §7.1: idle streams with a priority and open ones are together no more than streams may be. A
 * client knows how many when it has acknowledged our SETTINGS. */
static bool is_one_too_many(const struct frames_session *session)
{
    unsigned kept = session->early ? session->early->count : 0;
    return session->settings_acked && kept + session->open_streams >= session->options.max_streams;
}

static void insert(struct frames_early_list *list, unsigned at, struct frames_early entry)
{
    if (list->count == FRAMES_MOST_EARLY) {
        return;
    }
    memmove(list->entries + at + 1, list->entries + at, (list->count - at) * sizeof entry);
    list->entries[at] = entry;
    list->count++;
}

enum frames_result frames_early_keep(struct frames_session *session, struct frames_early entry)
{
    if (entry.id <= session->last_id) {
        return FRAMES_OK; /* closed */
    }
    struct frames_early_list *list = session->early;
    unsigned at = list ? place_of(list, entry.id) : 0;
    if (list && is_at(list, at, entry.id)) {
        list->entries[at] = entry;
        return FRAMES_OK;
    }
    if (is_one_too_many(session)) {
        return frames_result_of(frames_fail(session, FRAMES_PROTOCOL_ERROR));
    }
    if (!list) {
        session->early = list = mem_alloc_zero(1, sizeof *list);
    }
    if (list) {
        insert(list, at, entry);
    }
    return FRAMES_OK;
}

/* RFC 9113 §5.1.1: lower ids will not come any more. */
static void pass(struct frames_session *session, unsigned count)
{
    struct frames_early_list *list = session->early;
    list->count -= count;
    memmove(list->entries, list->entries + count, list->count * sizeof list->entries[0]);
    if (list->count == 0) {
        frames_early_finish(session);
    }
}

void frames_early_take(struct frames_session *session, struct frames_block *block)
{
    const struct frames_early_list *list = session->early;
    if (!list) {
        return;
    }
    unsigned at = 0;
    while (at < list->count && list->entries[at].id < block->id) {
        at++;
    }
    if (is_at(list, at, block->id)) {
        block->urgency = list->entries[at].urgency;
        block->is_incremental = list->entries[at].is_incremental;
        block->is_prioritized = true;
        at++;
    }
    pass(session, at);
}

void frames_early_finish(struct frames_session *session)
{
    mem_free(session->early);
    session->early = NULL;
}
