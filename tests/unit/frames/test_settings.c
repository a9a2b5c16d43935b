/* The client's SETTINGS: RFC 9113 §6.5, RFC 8441 §3, RFC 9218 §2.1. */
#include "support_reader.h"

#include "test.h"

#define FAILED(code) "failed " code " |  | GOAWAY 0 " code

static void expect_setting(uint16_t id, uint32_t value, const char *text)
{
    const uint8_t entry[] = {(uint8_t)(id >> 8),     (uint8_t)id,           (uint8_t)(value >> 24),
                             (uint8_t)(value >> 16), (uint8_t)(value >> 8), (uint8_t)value};
    expect_frame(FRAMES_SETTINGS, 0, 0, entry, sizeof entry, text);
}

TEST(test_settings_are_told_and_acknowledged)
{
    /* RFC 9113 §6.5.3 */
    EXPECT_FRAME(FRAMES_SETTINGS, 0, 0, "", "settings |  | SETTINGS ACK");
    EXPECT_FRAME(FRAMES_SETTINGS, 0, 0, "\0\1\0\0\20\0\0\3\0\0\0\1\0\6\0\0\1\0",
                 "settings |  | SETTINGS ACK");
}

/* §6.5.3: all values of a frame at once, for the client has only one ACK to go by: until it comes, it holds us to
 * what was before. */
TEST(test_settings_are_in_force_when_all_of_them_have_come)
{
    static const uint8_t payload[] = {0, 4, 0, 0, 0, 9, 0, 1, 0, 0, 0, 0, 0, 3, 0, 0, 0, 1};
    struct buf all;
    buf_init(&all, 0);
    wire_frame(&all, FRAMES_SETTINGS, 0, 0, payload, sizeof payload);
    struct reader reader;
    EXPECT_INT(reader_open(&reader, NULL, true), GALLEY_OK);
    for (size_t i = 0; i < all.len; i++) {
        struct buf one = all;
        one.data += i;
        one.len = 1;
        expect_said(&reader, "");
        EXPECT_INT(reader.session.first_send_window, FRAMES_FIRST_WINDOW);
        EXPECT(!reader.session.encoder.must_resize);
        EXPECT_INT(reader_feed(&reader, &one, 0), FRAMES_OK);
    }
    EXPECT_INT(reader.session.first_send_window, 9);
    EXPECT(reader.session.encoder.must_resize);
    expect_told(&reader, "settings");
    expect_said(&reader, "SETTINGS ACK");
    buf_finish(&all);
    reader_close(&reader);
}

TEST(test_settings_that_are_unknown_are_ignored)
{
    /* RFC 9113 §6.5.2; values of GREASE among them */
    expect_setting(0x0, 1, "settings |  | SETTINGS ACK");
    expect_setting(0x7, UINT32_MAX, "settings |  | SETTINGS ACK");
    expect_setting(0x0a0a, UINT32_MAX, "settings |  | SETTINGS ACK");
    expect_setting(0xfafa, 0, "settings |  | SETTINGS ACK");
    EXPECT_FRAME(FRAMES_SETTINGS, 0xfe, 0, "", "settings |  | SETTINGS ACK"); /* §4.1: flags */
}

TEST(test_settings_have_values_in_range)
{
    /* RFC 9113 §6.5.2 */
    static const struct {
        uint16_t id;
        uint32_t value;
        const char *code; /* NULL: taken */
    } cases[] = {
        {1, 0, NULL},
        {1, UINT32_MAX, NULL},
        {2, 0, NULL},
        {2, 1, NULL},
        {2, 2, "PROTOCOL_ERROR"},
        {3, 0, NULL},
        {3, UINT32_MAX, NULL},
        {4, 0, NULL},
        {4, 0x7fffffff, NULL},
        {4, 0x80000000, "FLOW_CONTROL_ERROR"},
        {4, UINT32_MAX, "FLOW_CONTROL_ERROR"},
        {5, 16383, "PROTOCOL_ERROR"},
        {5, 16384, NULL},
        {5, 0xffffff, NULL},
        {5, 0x1000000, "PROTOCOL_ERROR"},
        {6, 0, NULL},
        {6, UINT32_MAX, NULL},
        /* RFC 8441 §3 */
        {8, 0, NULL},
        {8, 1, NULL},
        {8, 2, "PROTOCOL_ERROR"},
        /* RFC 9218 §2.1: of the first SETTINGS, which said nothing, it is 0 */
        {9, 0, NULL},
        {9, 1, "PROTOCOL_ERROR"},
        {9, 2, "PROTOCOL_ERROR"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[100] = "settings |  | SETTINGS ACK";
        if (cases[i].code) {
            (void)snprintf(text, sizeof text, FAILED("%s"), cases[i].code, cases[i].code);
        }
        expect_setting(cases[i].id, cases[i].value, text);
    }
}

TEST(test_settings_have_a_length_of_whole_entries)
{
    /* RFC 9113 §6.5 */
    EXPECT_FRAME(FRAMES_SETTINGS, 0, 0, "\0\3\0\0\0", FAILED("FRAME_SIZE_ERROR"));
    EXPECT_FRAME(FRAMES_SETTINGS, 0, 0, "\0\3\0\0\0\1\0", FAILED("FRAME_SIZE_ERROR"));
    EXPECT_FRAME(FRAMES_SETTINGS, FRAMES_ACK, 0, "\0\3\0\0\0\1", FAILED("FRAME_SIZE_ERROR"));
    EXPECT_FRAME(FRAMES_SETTINGS, FRAMES_ACK, 0, "\0", FAILED("FRAME_SIZE_ERROR"));
    EXPECT_FRAME(FRAMES_SETTINGS, 0, 1, "", FAILED("PROTOCOL_ERROR"));
    EXPECT_FRAME(FRAMES_SETTINGS, FRAMES_ACK, 1, "", FAILED("PROTOCOL_ERROR"));
}

TEST(test_settings_are_not_endless)
{
    char payload[6 * (FRAMES_MAX_SETTINGS + 1)];
    memset(payload, 0, sizeof payload);
    expect_frame(FRAMES_SETTINGS, 0, 0, payload, sizeof payload - 6, "settings |  | SETTINGS ACK");
    expect_frame(FRAMES_SETTINGS, 0, 0, payload, sizeof payload, FAILED("ENHANCE_YOUR_CALM"));
}

TEST(test_our_settings_are_acknowledged_once)
{
    struct reader reader;
    struct buf bytes;
    buf_init(&bytes, 0);
    struct habits habits = {.window_bytes = 100 * 1000};
    EXPECT_INT(reader_open(&reader, &habits, true), 0);
    EXPECT_INT(reader.session.first_recv_window, FRAMES_FIRST_WINDOW);
    wire_frame(&bytes, FRAMES_SETTINGS, FRAMES_ACK, 0, NULL, 0);
    EXPECT_INT(reader_feed(&reader, &bytes, 0), FRAMES_OK);
    expect_told(&reader, "");
    EXPECT_INT(reader.session.first_recv_window, 100 * 1000); /* RFC 9113 §6.5.3: in force now */
    EXPECT_INT(reader_feed(&reader, &bytes, 0), FRAMES_OK);
    expect_told(&reader, "failed PROTOCOL_ERROR");
    buf_finish(&bytes);
    reader_close(&reader);
}

TEST(test_settings_are_in_force_in_the_order_of_the_frame)
{
    /* RFC 9113 §6.5.3 */
    struct reader reader;
    struct buf bytes;
    buf_init(&bytes, 0);
    EXPECT_INT(reader_open(&reader, NULL, true), 0);
    WIRE_FRAME(&bytes, FRAMES_SETTINGS, 0, 0, "\0\4\0\0\0\1\0\4\0\0\0\2");
    EXPECT_INT(reader_feed(&reader, &bytes, 0), FRAMES_OK);
    EXPECT_INT(reader.session.first_send_window, 2);
    bytes.len = 0;
    WIRE_FRAME(&bytes, FRAMES_SETTINGS, 0, 0, "\0\1\0\0\0\0\0\1\0\0\0\7");
    EXPECT_INT(reader_feed(&reader, &bytes, 0), FRAMES_OK);
    EXPECT_INT(reader.session.encoder.allowed_bytes, 7);
    EXPECT_INT(reader.session.encoder.least_bytes, 0);
    buf_finish(&bytes);
    reader_close(&reader);
}

/* RFC 9218 §2.1: what the first SETTINGS said stays. */
TEST(test_priorities_of_rfc_7540_are_declined_once_for_all)
{
    static const char *const firsts[] = {"\0\11\0\0\0\0", "\0\11\0\0\0\1"};
    for (size_t first = 0; first < 2; first++) {
        for (size_t second = 0; second < 2; second++) {
            struct reader reader;
            struct buf bytes;
            buf_init(&bytes, 0);
            EXPECT_INT(reader_open(&reader, NULL, false), 0);
            buf_append_text(&bytes, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
            wire_frame(&bytes, FRAMES_SETTINGS, 0, 0, firsts[first], 6);
            wire_frame(&bytes, FRAMES_SETTINGS, 0, 0, firsts[second], 6);
            EXPECT_INT(reader_feed(&reader, &bytes, 0), FRAMES_OK);
            expect_told(&reader,
                        first == second ? "settings; settings" : "settings; failed PROTOCOL_ERROR");
            EXPECT_INT(reader.session.no_priorities, first);
            buf_finish(&bytes);
            reader_close(&reader);
        }
    }
}

/* CVE-2019-9515: answers that nobody reads. */
TEST(test_settings_whose_answers_are_not_read_are_a_flood)
{
    struct buf bytes;
    buf_init(&bytes, 0);
    for (int i = 0; i < FRAMES_MAX_WAITING_ACKS + 1; i++) {
        wire_frame(&bytes, FRAMES_SETTINGS, 0, 0, NULL, 0);
    }
    struct reader reader;
    EXPECT_INT(reader_open(&reader, NULL, true), 0);
    EXPECT_INT(reader_feed(&reader, &bytes, 0), FRAMES_FLOODED);
    buf_finish(&bytes);
    reader_close(&reader);
}
