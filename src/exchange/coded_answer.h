/* exchange/coded_answer.h — answers of a route that compresses: a driver between the exchange and its
 * protocol's driver, which sees the same calls, later and with other bytes.
 *
 * On the loop; what is long is compressed by a job on the file threads, which a stop of the server waits
 * for. A whole answer keeps its exchange, suspended, until the job is back; of one in pieces each batch
 * is compressed and flushed by itself, so that what was written can be decoded as soon as it is there.
 * The object lives on the heap, because an exchange in pieces may end while its job is under way. */
#ifndef EXCHANGE_CODED_ANSWER_H
#define EXCHANGE_CODED_ANSWER_H

struct exchange;

/** When the route is known, before its body is asked for: also of a route that only takes compressed
 *  bodies, whose pauses go through here. */
void coded_answer_begin(struct exchange *exchange);
/** The exchange ends. */
void coded_answer_release(struct exchange *exchange);

#endif
