/* http/field_value.c — see field_value.h. */
#include "http/field_value.h"

#include "http/chars.h"

bool field_name_is_valid(struct span name)
{
    return chars_is_token(name);
}

bool field_value_is_valid(struct span value)
{
    return chars_all(value, CHARS_VALUE) && span_trim(value).len == value.len;
}
