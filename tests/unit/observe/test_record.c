/* Tests of observe/access_record: what is kept of a request, and how long texts share the room. */
#include "observe/access_record.h"

#include "exchange/request_tls.h"

#include "support_exchange.h"
#include "test.h"

static struct access_record record;
static struct ended ended;

static struct span filled(char *text, char c, size_t len)
{
    memset(text, c, len);
    return span_make(text, len);
}

TEST(a_record_keeps_what_the_exchange_says)
{
    ended_init(&ended);
    ended_agent(&ended, SPAN("curl/8.0"));
    ended_referer(&ended, SPAN("http://a.example/"));
    access_record_fill(&record, &ended.exchange, 1003, false);
    EXPECT_INT(record.ended_ms, 1003);
    EXPECT_INT(record.duration_ms, 3);
    EXPECT_INT(record.status, 200);
    EXPECT_INT(record.body_bytes, 5);
    EXPECT_INT(record.version, 11);
    EXPECT_INT(record.flags, ACCESS_HAS_AGENT | ACCESS_HAS_REFERER);
    EXPECT_SPAN(access_record_method(&record), "GET");
    EXPECT_SPAN(access_record_target(&record), "/");
    EXPECT_SPAN(access_record_agent(&record), "curl/8.0");
    EXPECT_SPAN(access_record_referer(&record), "http://a.example/");
}

TEST(a_missing_field_is_told_from_an_empty_one)
{
    ended_init(&ended);
    ended_agent(&ended, SPAN(""));
    access_record_fill(&record, &ended.exchange, 1000, false);
    EXPECT(access_record_agent(&record).ptr != NULL);
    EXPECT(access_record_referer(&record).ptr == NULL);
}

TEST(a_malformed_request_leaves_an_empty_line_not_a_crash)
{
    ended_init(&ended);
    ended.exchange.request.method_name = SPAN_NONE;
    ended.exchange.request.raw_target = SPAN_NONE;
    ended.exchange.request.fields = NULL;
    ended.exchange.request.peer = NULL;
    ended.exchange.request.version = 0;
    ended.exchange.response.status = 400;
    access_record_fill(&record, &ended.exchange, 1000, false);
    EXPECT_INT(record.status, 400);
    EXPECT_INT(access_record_method(&record).len, 0);
    EXPECT_INT(record.peer.family, 0);
}

TEST(a_clock_that_is_behind_gives_no_negative_duration)
{
    ended_init(&ended);
    access_record_fill(&record, &ended.exchange, 999, false);
    EXPECT_INT(record.duration_ms, 0);
    access_record_fill(&record, &ended.exchange, INT64_C(1) << 50, false);
    EXPECT_INT(record.duration_ms, UINT32_MAX);
}

TEST(long_texts_are_cut_and_leave_room_for_the_others)
{
    static char target[5000], agent[5000], referer[5000];
    ended_init(&ended);
    ended_target(&ended, filled(target, 't', sizeof target));
    ended_agent(&ended, filled(agent, 'a', sizeof agent));
    ended_referer(&ended, filled(referer, 'r', sizeof referer));
    access_record_fill(&record, &ended.exchange, 1000, false);
    EXPECT_INT(access_record_referer(&record).len, ACCESS_REFERER_BYTES);
    EXPECT_INT(access_record_agent(&record).len, ACCESS_AGENT_BYTES);
    EXPECT_INT(access_record_target(&record).len,
               ACCESS_TEXT_BYTES - 3 - ACCESS_REFERER_BYTES - ACCESS_AGENT_BYTES);
    EXPECT(record.flags & ACCESS_TARGET_CUT);
    EXPECT(record.flags & ACCESS_AGENT_CUT);
    EXPECT(record.flags & ACCESS_REFERER_CUT);
}

TEST(room_that_the_others_do_not_need_goes_to_the_target)
{
    static char target[5000];
    ended_init(&ended);
    ended_target(&ended, filled(target, 't', sizeof target));
    access_record_fill(&record, &ended.exchange, 1000, false);
    EXPECT_INT(access_record_target(&record).len, ACCESS_TEXT_BYTES - 3);
}

TEST(an_unknown_method_is_cut_at_its_bound)
{
    static char method[300];
    ended_init(&ended);
    ended.exchange.request.method = METHOD_OTHER;
    ended.exchange.request.method_name = filled(method, 'M', sizeof method);
    access_record_fill(&record, &ended.exchange, 1000, false);
    EXPECT_INT(access_record_method(&record).len, ACCESS_METHOD_BYTES);
    EXPECT(record.flags & ACCESS_METHOD_CUT);
    EXPECT_SPAN(access_record_target(&record), "/");
}

TEST(every_mix_of_lengths_fits_into_the_record)
{
    static char text[600];
    static char name[FORWARDED_NAME_MAX + 1];
    for (unsigned round = 0; round < test_rounds(2000); round++) {
        ended_init(&ended);
        size_t target_len = test_random_below(600);
        ended_target(&ended, filled(text, 'x', target_len));
        ended_agent(&ended, span_make(text, test_random_below(600)));
        ended_referer(&ended, span_make(text, test_random_below(600)));
        struct tls_facts facts = {.protocol = "TLSv1.3", .cipher = "x"};
        facts.server_name = span_make(text, test_random_below(ACCESS_TLS_BYTES + 1));
        facts.client_subject = span_make(text, test_random_below(ACCESS_TLS_BYTES + 1));
        ended.exchange.request.tls.facts = &facts;
        (void)filled(name, 'n', FORWARDED_NAME_MAX);
        name[test_random_below(FORWARDED_NAME_MAX + 1)] = '\0';
        if (round % 2) {
            ended_client(&ended, NULL, name);
        }
        access_record_fill(&record, &ended.exchange, 1000, true);
        access_record_add_client(&record, &ended.exchange);
        struct access_client client;
        size_t used = (size_t)record.method_len + record.target_len + record.agent_len +
                      record.referer_len + record.tls_name_len + record.tls_client_len +
                      record.client_len;
        EXPECT(used <= ACCESS_TEXT_BYTES);
        EXPECT(access_record_client(&record, &client) == !!(round % 2));
        EXPECT(round % 2 == 0 || span_equal(client.name, span_of(name)));
        EXPECT_INT(access_record_tls_name(&record).len, facts.server_name.len);
        EXPECT_INT(access_record_tls_client(&record).len, facts.client_subject.len);
        EXPECT((record.target_len < target_len) == !!(record.flags & ACCESS_TARGET_CUT));
    }
}

TEST(who_came_over_tls_is_kept_whole_or_not_at_all)
{
    static char text[600];
    struct tls_facts facts = {.protocol = "TLSv1.3",
                              .cipher = "TLS_AES_128_GCM_SHA256",
                              .server_name = SPAN("a.example"),
                              .client_subject = SPAN("CN=alice")};
    ended_init(&ended);
    ended_target(&ended, filled(text, 'x', 599));
    ended.exchange.request.tls.facts = &facts;
    access_record_fill(&record, &ended.exchange, 1000, true);
    EXPECT_TEXT(record.tls_protocol, "TLSv1.3");
    EXPECT_TEXT(record.tls_cipher, "TLS_AES_128_GCM_SHA256");
    EXPECT_SPAN(access_record_tls_name(&record), "a.example");
    EXPECT_SPAN(access_record_tls_client(&record), "CN=alice");
    EXPECT(!(record.flags & ACCESS_TLS_CUT));
    facts.client_subject = SPAN("");
    facts.client_names = SPAN("DNS:alice.example");
    access_record_fill(&record, &ended.exchange, 1000, true);
    EXPECT_SPAN(access_record_tls_client(&record), "DNS:alice.example");
    facts.client_subject = filled(text, 'x', ACCESS_TLS_BYTES + 1);
    access_record_fill(&record, &ended.exchange, 1000, true);
    EXPECT(!access_record_tls_client(&record).ptr && record.flags & ACCESS_TLS_CUT);
    EXPECT_SPAN(access_record_tls_name(&record), "a.example");
    access_record_fill(&record, &ended.exchange, 1000, false);
    EXPECT(!record.tls_protocol && !access_record_tls_name(&record).ptr);
}

TEST(an_answer_that_was_not_sent_whole_is_marked)
{
    ended_init(&ended);
    access_record_fill(&record, &ended.exchange, 1000, false);
    EXPECT(!(record.flags & ACCESS_ABORTED));
    ended.exchange.bytes_sent = 4;
    access_record_fill(&record, &ended.exchange, 1000, false);
    EXPECT(record.flags & ACCESS_ABORTED);
    ended.exchange.bytes_sent = 5;
    ended.exchange.client_is_gone = true;
    access_record_fill(&record, &ended.exchange, 1000, false);
    EXPECT(record.flags & ACCESS_ABORTED);
}

TEST(a_status_that_was_never_sent_is_not_logged)
{
    ended_init(&ended);
    ended.exchange.has_responded = false;
    access_record_fill(&record, &ended.exchange, 1000, false);
    EXPECT_INT(record.status, 0);
    EXPECT(record.flags & ACCESS_ABORTED);
}

/* RFC 9110 §9.3.2, §15.3.5, §15.4.5: HEAD, 204 and 304 have a length but no content. */
TEST(an_answer_without_content_is_not_aborted)
{
    ended_init(&ended);
    ended.exchange.bytes_sent = 0;
    ended.exchange.request.method = METHOD_HEAD;
    access_record_fill(&record, &ended.exchange, 1000, false);
    EXPECT(!(record.flags & ACCESS_ABORTED));
    ended.exchange.request.method = METHOD_GET;
    ended.exchange.response.status = 304;
    access_record_fill(&record, &ended.exchange, 1000, false);
    EXPECT(!(record.flags & ACCESS_ABORTED));
}

TEST(a_client_takes_its_room_from_the_texts)
{
    static char text[5000];
    static const char name[] = "_23456789012345678901234567890123456789012345678901234567890123";
    struct access_client client;
    ended_init(&ended);
    access_record_fill(&record, &ended.exchange, 1000, false);
    access_record_add_client(&record, &ended.exchange);
    EXPECT(!access_record_client(&record, &client));
    ended_client(&ended, &ended.peer, NULL); /* the proxy asks for itself */
    access_record_fill(&record, &ended.exchange, 1000, false);
    access_record_add_client(&record, &ended.exchange);
    EXPECT(!access_record_client(&record, &client));
    ended_client(&ended, NULL, name);
    ended_target(&ended, filled(text, 'x', sizeof text));
    ended_agent(&ended, span_make(text, sizeof text));
    ended_referer(&ended, span_make(text, sizeof text));
    access_record_fill(&record, &ended.exchange, 1000, false);
    access_record_add_client(&record, &ended.exchange);
    EXPECT(access_record_client(&record, &client));
    EXPECT_INT(client.address.family, 0);
    EXPECT_SPAN(client.name, name);
    size_t taken = sizeof client.address + sizeof name - 1;
    EXPECT_INT(access_record_referer(&record).len, 0);
    EXPECT_INT(access_record_agent(&record).len, ACCESS_AGENT_BYTES + ACCESS_REFERER_BYTES - taken);
    EXPECT_INT(access_record_target(&record).len,
               ACCESS_TEXT_BYTES - 3 - ACCESS_REFERER_BYTES - ACCESS_AGENT_BYTES);
    EXPECT(record.flags & ACCESS_AGENT_CUT && record.flags & ACCESS_REFERER_CUT);
    fields_clear(&ended.fields); /* no agent: from the target */
    access_record_fill(&record, &ended.exchange, 1000, false);
    access_record_add_client(&record, &ended.exchange);
    EXPECT_INT(access_record_target(&record).len, ACCESS_TEXT_BYTES - 3 - taken);
    EXPECT(access_record_client(&record, &client));
    EXPECT_SPAN(client.name, name);
    EXPECT(client.name.ptr + client.name.len == record.text + ACCESS_TEXT_BYTES);
}
