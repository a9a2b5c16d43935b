/* base/inet.c — see inet.h. */
#include "base/inet.h"

#include <string.h>

bool inet_unmap(uint8_t bytes[16])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (memcmp(bytes, mapped, sizeof mapped) != 0) {
        return false;
    }
    memmove(bytes, bytes + sizeof mapped, 4);
    memset(bytes + 4, 0, sizeof mapped);
    return true;
}
