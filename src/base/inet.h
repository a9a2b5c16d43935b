/* base/inet.h — what both families of internet addresses share, for those who take addresses from
 * the system (net) and those who read them in texts (http). Pure; any thread. */
#ifndef BASE_INET_H
#define BASE_INET_H

#include <stdbool.h>
#include <stdint.h>

/** RFC 4291 §2.5.5.2: a client that speaks IPv4 to a socket for both has an IPv4-mapped address;
 *  people and networks name it by the IPv4 one. True: it was one; now its first 4 bytes are the
 *  IPv4 address, the rest is 0. False: nothing has changed. */
bool inet_unmap(uint8_t bytes[16]);

#endif
