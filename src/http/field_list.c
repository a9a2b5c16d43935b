/* http/field_list.c — see field_list.h. Every byte is looked at once by the walk and once by the
 * weight. */
#include "http/field_list.h"

#include "base/text.h"
#include "http/chars.h"

/* RFC 9110 §5.6.4: index behind the quoted string that starts at s.ptr[at]; s.len if it is open. */
static size_t skip_quoted(struct span s, size_t at)
{
    for (at++; at < s.len; at++) {
        if (s.ptr[at] == '"') {
            return at + 1;
        }
        if (s.ptr[at] == '\\') {
            at++;
        }
    }
    return s.len;
}

/* Index of the first `stop` outside quoted strings, or s.len. */
static size_t find_unquoted(struct span s, char stop)
{
    size_t at = 0;
    while (at < s.len && s.ptr[at] != stop) {
        at = s.ptr[at] == '"' ? skip_quoted(s, at) : at + 1;
    }
    return at < s.len ? at : s.len;
}

bool field_list_next(struct span *rest, struct span *ret_member)
{
    while (rest->len > 0) {
        size_t comma = find_unquoted(*rest, ',');
        struct span member = span_trim(span_first(*rest, comma));
        *rest = span_from(*rest, comma < rest->len ? comma + 1 : comma);
        if (member.len > 0) {
            *ret_member = member;
            return true;
        }
    }
    return false;
}

bool field_list_has(struct span value, struct span token)
{
    struct span member;
    while (field_list_next(&value, &member)) {
        if (span_equal_nocase(member, token)) {
            return true;
        }
    }
    return false;
}

/* RFC 9110 §12.4.2: qvalue = ( "0" [ "." 0*3DIGIT ] ) / ( "1" [ "." 0*3("0") ] ), in
 * thousandths. */
static bool parse_qvalue(struct span s, unsigned *ret)
{
    if (s.len == 0 || s.len > 5 || (s.ptr[0] != '0' && s.ptr[0] != '1')) {
        return false;
    }
    unsigned weight = s.ptr[0] == '1' ? 1000 : 0;
    if (s.len > 1 && s.ptr[1] != '.') {
        return false;
    }
    unsigned unit = 100;
    for (size_t i = 2; i < s.len; i++, unit /= 10) {
        if (!text_is_digit(s.ptr[i])) {
            return false;
        }
        weight += unit * (unsigned)(s.ptr[i] - '0');
    }
    *ret = weight;
    return weight <= 1000;
}

static bool is_weight(struct span parameter)
{
    return parameter.len >= 2 && text_lower(parameter.ptr[0]) == 'q' && parameter.ptr[1] == '=';
}

/* token "=" ( token / quoted-string ), RFC 9110 §5.6.6; what is in the quotes does not matter
 * here. */
static bool is_parameter(struct span s)
{
    size_t equals = chars_skip(s, CHARS_TOKEN);
    if (equals == 0 || equals + 1 >= s.len || s.ptr[equals] != '=') {
        return false;
    }
    struct span value = span_from(s, equals + 1);
    if (value.ptr[0] != '"') {
        return chars_is_token(value);
    }
    return value.len >= 2 && value.ptr[value.len - 1] == '"' && skip_quoted(value, 0) == value.len;
}

/* Walks the parameters, from the first ';' to the end. *ret_len: of those before the weight. */
static bool parse_parameters(struct span rest, size_t *ret_len, unsigned *ret_weight)
{
    const char *start = rest.ptr;
    *ret_len = rest.len;
    while (rest.len > 0) {
        struct span behind = span_from(rest, 1);
        size_t end = find_unquoted(behind, ';');
        struct span parameter = span_trim(span_first(behind, end));
        if (is_weight(parameter)) {
            /* The weight stands last: what RFC 7231 allowed behind it is gone from RFC 9110
             * §12.5.1. */
            *ret_len = (size_t)(rest.ptr - start);
            return end == behind.len && parse_qvalue(span_from(parameter, 2), ret_weight);
        }
        if (!is_parameter(parameter)) {
            return false;
        }
        rest = span_from(behind, end);
    }
    return true;
}

bool weighted_parse(struct span member, struct weighted *ret)
{
    size_t at = find_unquoted(member, ';');
    struct weighted got = {span_trim(span_first(member, at)), SPAN(""), 1000};
    if (got.value.len == 0) {
        return false;
    }
    struct span rest = span_from(member, at);
    size_t parameter_bytes = 0;
    if (!parse_parameters(rest, &parameter_bytes, &got.weight)) {
        return false;
    }
    got.parameters = span_trim(span_first(rest, parameter_bytes));
    *ret = got;
    return true;
}
