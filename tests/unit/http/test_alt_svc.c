/* Values of Alt-Svc: RFC 7838 §3. */
#include "test.h"

#include "http/alt_svc.h"

#include <galley/hints.h>

static void expect_valid(const char *value, bool is_valid)
{
    if (alt_svc_is_valid(span_of(value)) != is_valid) {
        test_fail(__FILE__, __LINE__, "%s: %s", value, is_valid ? "refused" : "accepted");
    }
}

TEST(test_an_alternative_is_taken_apart)
{
    struct span rest =
        SPAN("h3=\":443\"; ma=60; persist=1, w%3Dx%2Fy=\"alt.example:8443\"\t;x=\"y,z\","
             "h2=\"[2001:db8::7]:1\"");
    struct alt_svc found;
    EXPECT(alt_svc_next(&rest, &found));
    EXPECT_SPAN(found.protocol, "h3");
    EXPECT_SPAN(found.host, "");
    EXPECT_INT(found.port, 443);
    EXPECT_INT(found.max_age_s, 60);
    EXPECT(found.persists);
    EXPECT(alt_svc_next(&rest, &found));
    EXPECT_SPAN(found.protocol, "w%3Dx%2Fy");
    EXPECT_SPAN(found.host, "alt.example");
    EXPECT_INT(found.port, 8443);
    EXPECT_INT(found.max_age_s, ALT_SVC_USUAL_AGE_S);
    EXPECT(!found.persists);
    EXPECT(alt_svc_next(&rest, &found));
    EXPECT_SPAN(found.host, "[2001:db8::7]");
    EXPECT_INT(found.port, 1);
    EXPECT(rest.ptr == NULL);
}

/* RFC 7838 §3: %s"clear" */
TEST(test_clear_stands_alone_and_its_case_matters)
{
    EXPECT(alt_svc_is_clear(SPAN("clear")));
    expect_valid("clear", true);
    expect_valid("Clear", false);
    expect_valid("clear, h3=\":443\"", false);
    expect_valid("h3=\":443\", clear", false);
}

/* Nothing hangs on which protocols galley speaks. */
TEST(test_any_protocol_will_do)
{
    expect_valid("h3=\":443\"", true);
    expect_valid("h3-29=\":443\", h2=\":443\", http%2F1.1=\":80\"", true);
    expect_valid("not-yet-known=\"other.example:65535\";ma=0", true);
    expect_valid("x=\":1\"; unknown=token; more=\"quoted \xe4\"", true);
}

/* RFC 7838 §3: octets that a token cannot hold MUST be encoded, others MUST NOT be. */
TEST(test_protocols_are_encoded_as_they_must_be)
{
    static const char *const bad[] = {
        "http/1.1=\":80\"", "h%33=\":443\"", "w%3dx=\":443\"", "h%=\":443\"",
        "h%2=\":443\"",     "h%zz=\":443\"", "=\":443\"",      "h3\":443\"",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        expect_valid(bad[i], false);
    }
    expect_valid("a%25b=\":443\"", true);
    char longest[300];
    memset(longest, 'a', sizeof longest);
    snprintf(longest + 255, 10, "=\":443\"");
    expect_valid(longest, true);
    memset(longest, 'a', 256);
    snprintf(longest + 256, 10, "=\":443\"");
    expect_valid(longest, false);
}

TEST(test_an_authority_is_quoted_and_has_a_port)
{
    static const char *const bad[] = {
        "h3=:443",
        "h3=\"\"",
        "h3=\"443\"",
        "h3=\":\"",
        "h3=\":0\"",
        "h3=\":65536\"",
        "h3=\":44 3\"",
        "h3=\"a.example\"",
        "h3=\"a b:443\"",
        "h3=\"a.example:\"",
        "h3=\"a.example:0\"",
        "h3=\":443",
        "h3=\":4\\43\"",
        "h3=\":443\n\"",
        "h3=\"me@a.example:1\"",
        "h3=\"::1:443\"",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        expect_valid(bad[i], false);
    }
}

TEST(test_parameters_are_known_or_at_least_well_formed)
{
    static const char *const bad[] = {
        "h3=\":443\";",       "h3=\":443\"; ma",       "h3=\":443\"; ma=",
        "h3=\":443\"; ma=1d", "h3=\":443\"; ma=-1",    "h3=\":443\"; persist=0",
        "h3=\":443\"; =1",    "h3=\":443\"; x=\"open", "h3=\":443\" ma=1",
        "h3=\":443\"; a = b", "h3=\":443\"; persist",  "h3=\":443\"; ma=99999999999999999999999",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        expect_valid(bad[i], false);
    }
    expect_valid("h3=\":443\"; ma=\"60\" ; PERSIST=1", true);
}

/* RFC 9110 §5.6.1: a sender MUST NOT generate empty members. */
TEST(test_members_are_not_empty)
{
    static const char *const bad[] = {
        "", ",", " ", "h3=\":443\",", ",h3=\":443\"", "h3=\":443\",,h2=\":443\"", "h3=\":443\", "};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        expect_valid(bad[i], false);
    }
    EXPECT(!alt_svc_is_valid(SPAN_NONE));
    struct span rest = SPAN("x"), before = rest;
    struct alt_svc found;
    EXPECT(!alt_svc_next(&rest, &found));
    EXPECT(rest.ptr == before.ptr && rest.len == before.len);
}

TEST(test_a_program_can_ask_whether_its_users_value_is_one)
{
    galley_error err = {0};
    EXPECT_INT(galley_alt_svc_check("h3=\":443\"; ma=86400", &err), 0);
    EXPECT_INT(galley_alt_svc_check("clear", NULL), 0);
    EXPECT_INT(galley_alt_svc_check("h3=:443", &err), GALLEY_EINVAL);
    EXPECT_TEXT(err.message,
                "Alt-Svc: 'h3=:443' is not clear, nor a list like 'h3=\":443\"; ma=86400'");
    EXPECT_INT(galley_alt_svc_check(NULL, NULL), GALLEY_EINVAL);
    EXPECT_INT(galley_alt_svc_check("a\r\nb: c", NULL), GALLEY_EINVAL);
}
