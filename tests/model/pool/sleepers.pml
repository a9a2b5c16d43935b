/* tests/model/pool/sleepers.pml — the sleep/wake protocol of src/pool/sleepers.c, worker_loop.c and job_queue.c, for
 * spin, over all interleavings. Each step that touches shared memory in the code is one step here, and has its name;
 * all of them are sequentially consistent in the code, so interleaving is the whole truth.
 * Parameters: WORKERS, SUBMITTERS (a job each), BATCH (jobs of the first submitter), SPIN (a worker may search before it
 * sleeps), OVERLAP (a job waits until all jobs have started: then a worker that sleeps beside a queued job is a
 * deadlock, not just a delay; needs as many workers as jobs), FORKERS (threads that push a task each on a deque of
 * their own, which workers look into after the queue; a task counts as a job), CLOSE (the pool is closed at any moment, and all workers
 * must end).
 * Planted faults, to show that the model sees: NO_LOOK (a worker sleeps without the second look), NO_FENCE (the
 * submitter's read of the word passes its publish), NO_CASCADE (a searcher that found a job does not look for more),
 * NO_SEARCH_END (a searcher that ends stays counted), NO_TASK_LOOK (the second look is at the queue only), NO_TASK_FENCE
 * (the forker's read of the word passes its push). */
#ifndef WORKERS
#define WORKERS 2
#endif
#ifndef SUBMITTERS
#define SUBMITTERS 2
#endif
#ifndef BATCH
#define BATCH 1
#endif
#ifndef FORKERS
#define FORKERS 0
#endif
#define JOBS (SUBMITTERS == 0 -> 0 : SUBMITTERS - 1 + BATCH)
#define EPOCHS 8

/* job_queue: more slots than jobs; a slot is free, published, or taken (free for the next lap) */
byte tail, head;
bool closed;
byte seq[SUBMITTERS + BATCH]; /* 0 free, 1 published, 2 taken; the last one stays free */
byte started;
byte tasks; /* on the forkers' deques, which have a model of their own */

/* sleepers: the word, epoch | searching | top; workers are counted from 1, 0 is nobody */
short word;
byte next[WORKERS + 1];
bool awake[WORKERS + 1];

#define TOP(w)        ((w) % 16)
#define SEARCHING(w)  (((w) / 16) % 16)
#define ONE_SEARCHING 16
#define ONE_EPOCH     256
#define WRAP(w)       ((w) % (EPOCHS * ONE_EPOCH))

/* Variables of a process that are not needed any more are set to 0, so that they make no new states. */

/* sleepers_wake, from behind its first read */
inline sleepers_wake_go_on(want)
{
    do
    :: atomic { woken < want && SEARCHING(seen) < want && TOP(seen) != 0 -> below = next[TOP(seen)] };
        if
        :: atomic { word == seen -> word = word - TOP(word) + ONE_SEARCHING + below; below = 0; woken++ };
            awake[TOP(seen)] = true; /* and futex_wake */
            seen = word
        :: atomic { word != seen -> seen = word; below = 0 }
        fi
    :: atomic { !(woken < want && SEARCHING(seen) < want && TOP(seen) != 0) -> seen = 0; woken = 0; break }
    od
}

inline sleepers_wake(want)
{
    seen = word;
    sleepers_wake_go_on(want)
}

/* The walk over the chain is one step with the compare-exchange, which fails if the chain has changed. */
inline sleepers_wake_all()
{
    atomic {
        seen = TOP(word);
        do
        :: TOP(word) != 0 -> word = word - TOP(word) + ONE_SEARCHING + next[TOP(word)]
        :: else -> break
        od
    };
    do
    :: seen != 0 -> below = next[seen];
        awake[seen] = true;
        atomic { seen = below; below = 0 }
    :: else -> break
    od
}

/* The head that is read may be old when seq is read. */
inline job_queue_has_job(result)
{
    do
    :: seen = head;
        if
        :: atomic { seq[seen] == 1 -> result = true; seen = 0; break }
        :: atomic { seq[seen] == 0 -> result = false; seen = 0; break }
        :: atomic { seq[seen] == 2 -> seen = 0 }
        fi
    od
}

inline job_queue_is_ended(result)
{
#ifdef CLOSE
    atomic { is_closed = closed; seen = tail }; /* one word */
    atomic { result = is_closed && head == seen; is_closed = false; seen = 0 }
#else
    skip
#endif
}

/* An old head cannot make it fail (what is behind the head was taken, so seq is not 0), and not succeed either (the
 * compare-exchange): so the reads and the compare-exchange are one step. */
inline job_queue_take(result)
{
    if
    :: atomic { seq[head] == 1 -> seen = head; head++ };
        atomic { seq[seen] = 2; seen = 0; result = true }
    :: atomic { seq[head] != 1 -> result = false }
    fi
}

inline has_work(result)
{
    job_queue_has_job(result);
#if FORKERS && !defined(NO_TASK_LOOK)
    atomic { result = result || tasks > 0 }
#endif
}

inline sleepers_enter()
{
    awake[self] = false;
    do
    :: seen = word;
        next[self] = TOP(seen);
        if
        :: atomic { word == seen ->
                    word = WRAP(word - TOP(word) - is_searching * ONE_SEARCHING + self + ONE_EPOCH);
                    seen = 0; is_searching = 0; break }
        :: atomic { word != seen -> seen = 0 }
        fi
    od
}

inline run_job()
{
    started++;
#ifdef OVERLAP
    started == JOBS + FORKERS
#endif
}

inline end_search()
{
    atomic { is_searching = 0; word = word - ONE_SEARCHING };
#ifndef NO_CASCADE
    has_work(found);
    if
    :: atomic { found -> found = false }; sleepers_wake(1)
    :: atomic { !found -> skip }
    fi
#endif
}

proctype worker(byte self)
{
    short seen;
    byte below, woken;
    bit is_searching;
    bool found, ended, is_closed;
    do
    :: job_queue_take(found);
#if FORKERS
        if /* seat_steal */
        :: atomic { !found && tasks > 0 -> tasks--; found = true }
        :: atomic { found || tasks == 0 -> skip }
        fi;
#endif
        if
        :: atomic { found -> found = false };
            if
            :: is_searching -> end_search()
            :: !is_searching
            fi;
            run_job();
            goto again
        :: atomic { !found -> skip }
        fi;
        job_queue_is_ended(ended);
        if
        :: ended -> break
        :: !ended
        fi;
#ifdef SPIN
        atomic { /* sleepers_search */
            if
            :: !is_searching && SEARCHING(word) == 0 -> word = word + ONE_SEARCHING; is_searching = 1
            :: true
            fi
        };
        has_work(found);
        if
        :: atomic { found && is_searching -> found = false }; goto again
        :: atomic { else -> found = false }
        fi;
#endif
        sleepers_enter();
#ifndef NO_LOOK
        has_work(found);
        job_queue_is_ended(ended);
        if
        :: atomic { found || ended -> found = false; ended = false }; sleepers_wake(1)
        :: atomic { !found && !ended -> skip }
        fi;
#endif
#ifdef CLOSE
sleep:  atomic { awake[self] -> is_searching = 1 } /* sleepers_wait; nobody may sleep for ever */
#else
end_sleep: atomic { awake[self] -> is_searching = 1 }
#endif
again:  skip
    od;
#ifndef NO_SEARCH_END
    if /* let_others_end */
    :: atomic { is_searching -> is_searching = 0; word = word - ONE_SEARCHING }
    :: !is_searching
    fi;
#endif
    sleepers_wake_all()
}

proctype submitter(byte n)
{
    short seen;
    byte below, woken, ticket, i;
    bool refused;
    atomic { /* job_queue_claim: one compare-exchange of tail and closed */
        if
        :: closed -> refused = true
        :: else -> ticket = tail; tail = tail + n
        fi
    };
    if
    :: refused
    :: !refused ->
#ifdef NO_FENCE
        seen = word;
#endif
        do /* job_queue_publish */
        :: atomic { i < n -> seq[ticket + i] = 1; i++ }
        :: atomic { i >= n -> ticket = 0; break }
        od;
#ifndef NO_FENCE
        seen = word;
#endif
        sleepers_wake_go_on(n)
    fi
}

/* A spawn. What comes after it, the forker's own pop, is left out: with OVERLAP it would wait for the task. */
proctype forker()
{
    short seen;
    byte below, woken;
#ifdef NO_TASK_FENCE
    seen = word;
    tasks++;
#else
    tasks++; /* task_deque_push */
    seen = word;
#endif
    sleepers_wake_go_on(1)
}

proctype closer()
{
    short seen;
    byte below, woken;
    closed = true;
    sleepers_wake_all()
}

/* When nothing can move any more, every accepted job has been started. */
proctype judge()
{
end_judge:
    timeout;
    assert(head == tail && started == tail + FORKERS)
}

init
{
    byte i;
    atomic {
        i = 1;
        do
        :: i <= WORKERS -> run worker(i); i++
        :: else -> break
        od;
        if
        :: SUBMITTERS > 0 -> run submitter(BATCH)
        :: else
        fi;
        i = 1;
        do
        :: i < SUBMITTERS -> run submitter(1); i++
        :: else -> break
        od;
        i = 0;
        do
        :: i < FORKERS -> run forker(); i++
        :: else -> break
        od;
#ifdef CLOSE
        run closer();
#endif
        run judge()
    }
}
