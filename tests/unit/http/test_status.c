/* tests/unit/http/test_status.c — reasons, and which answers carry what. */
#include "http/status.h"
#include "test.h"

TEST(reasons_are_those_of_the_rfc)
{
    EXPECT_SPAN(status_reason(200), "OK");
    EXPECT_SPAN(status_reason(404), "Not Found");
    EXPECT_SPAN(status_reason(413), "Content Too Large"); /* RFC 9110 §15.5.14 */
    EXPECT_SPAN(status_reason(416), "Range Not Satisfiable");
    EXPECT_SPAN(status_reason(505), "HTTP Version Not Supported");
}

/* RFC 9110 §15: an unknown code is treated as the x00 of its class */
TEST(unknown_codes_are_named_by_their_class)
{
    EXPECT_SPAN(status_reason(299), "Success");
    EXPECT_SPAN(status_reason(499), "Client Error");
    EXPECT_SPAN(status_reason(599), "Server Error");
    EXPECT_SPAN(status_reason(99), "Unknown");
    EXPECT_SPAN(status_reason(600), "Unknown");
    EXPECT_SPAN(status_reason(-5), "Unknown");
}

/* RFC 9110 §6.4.1, RFC 9110 §9.3.2, RFC 9110 §15.3.5, RFC 9110 §15.4.5 */
TEST(head_1xx_204_and_304_have_no_body)
{
    EXPECT(status_may_have_body(200, METHOD_GET));
    EXPECT(status_may_have_body(404, METHOD_POST));
    EXPECT(!status_may_have_body(200, METHOD_HEAD));
    EXPECT(!status_may_have_body(404, METHOD_HEAD));
    EXPECT(!status_may_have_body(100, METHOD_GET));
    EXPECT(!status_may_have_body(103, METHOD_GET));
    EXPECT(!status_may_have_body(204, METHOD_GET));
    EXPECT(!status_may_have_body(304, METHOD_GET));
    EXPECT(!status_may_have_body(205, METHOD_GET)); /* RFC 9110 §15.3.6 */
}

/* RFC 9110 §8.6: no Content-Length in 1xx, 204 and 2xx to CONNECT; HEAD and 304 may say the
 * length */
TEST(length_may_be_said_on_head_and_304_but_not_on_204)
{
    EXPECT(status_may_have_length(200, METHOD_HEAD));
    EXPECT(status_may_have_length(304, METHOD_GET));
    EXPECT(!status_may_have_length(204, METHOD_GET));
    EXPECT(!status_may_have_length(101, METHOD_GET));
    EXPECT(!status_may_have_length(200, METHOD_CONNECT));
    EXPECT(!status_may_have_body(200, METHOD_CONNECT));
    EXPECT(status_may_have_body(405, METHOD_CONNECT));
}
