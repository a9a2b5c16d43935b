/* tests/model/pool/gate.pml — the gate of src/pool/gate.c as submitters use it to wait for room (pool_submit.c,
 * push_waiting), for spin, over all interleavings. The queue is a count of used slots; claim and take are one step each
 * (their own races are not the question here). One submitter may give up at any time, as after a timeout.
 * BATCH is how many slots must be free before a taker opens. Planted faults: NO_LOOK (a waiter sleeps without looking for room after it has counted itself), NO_TURN (it sleeps
 * though the gate was opened since it looked), NO_CLEAR (it does not clear `waking` before it looks). */
#ifndef CAPACITY
#define CAPACITY 1
#endif
#ifndef SUBMITTERS
#define SUBMITTERS 3
#endif
#ifndef JOBS_EACH
#define JOBS_EACH 2
#endif
#ifndef TAKERS
#define TAKERS 1
#endif
#ifndef BATCH
#define BATCH 1
#endif
#define TURNS 16

byte used, waiters, turn, quitters;
bool waking;
bool asleep[SUBMITTERS + TAKERS];

inline futex_wake_one()
{
    atomic {
        woken = 0;
        do
        :: woken < SUBMITTERS && asleep[woken] -> asleep[woken] = false; break
        :: woken < SUBMITTERS -> woken++ /* any sleeper: the order is not promised */
        :: woken >= SUBMITTERS -> /* passed by all: then take the first that sleeps */
            woken = 0;
            do
            :: woken < SUBMITTERS && !asleep[woken] -> woken++
            :: else -> break
            od;
            if
            :: woken < SUBMITTERS -> asleep[woken] = false
            :: else
            fi;
            break
        od
    }
}

inline gate_open_one()
{
    if
    :: waiters == 0
    :: else ->
        if
        :: atomic { !waking -> waking = true };
            turn = (turn + 1) % TURNS;
            futex_wake_one()
        :: waking
        fi
    fi
}

inline push(result)
{
    atomic {
        if
        :: used < CAPACITY -> used++; result = true
        :: else -> result = false
        fi
    }
}

inline push_waiting()
{
    waiters++; /* gate_enter */
#ifdef NO_LOOK
    goto wait;
#endif
    do
    :: seen = turn; /* gate_look */
#ifndef NO_CLEAR
        waking = false;
#endif
        push(done);
        if
        :: done -> break
        :: else
        fi;
        if
        :: may_quit -> quitters++; break
        :: true
        fi;
wait:   atomic { /* futex_wait compares and falls asleep in one step */
            if
#ifdef NO_TURN
            :: asleep[self] = true
#else
            :: turn == seen -> asleep[self] = true
            :: else
#endif
            fi
        };
        !asleep[self]
    od;
    if
    :: used < CAPACITY && waiters > 1 -> gate_open_one() /* gate_pass_on */
    :: else
    fi;
    waiters-- /* gate_leave */
}

proctype submitter(byte self; bool may_quit)
{
    byte seen, woken, i;
    bool done;
    do
    :: i < JOBS_EACH ->
        i++;
        push(done);
        if
        :: done
        :: else -> push_waiting()
        fi
    :: else -> break
    od
}

proctype taker()
{
    byte woken;
end_take:
    do
    :: atomic { used > 0 -> used-- }; /* job_queue_take frees the slot */
        if /* offer_room: two looks, one behind the other */
        :: waiters == 0
        :: else ->
            if
            :: used + BATCH <= CAPACITY -> gate_open_one()
            :: else
            fi
        fi
    od
}

init
{
    byte i;
    atomic {
        do
        :: i < SUBMITTERS -> run submitter(i, i == 0); i++
        :: else -> break
        od;
        i = 0;
        do
        :: i < TAKERS -> run taker(); i++
        :: else -> break
        od
    }
}
