/* tests/model/pool/group.pml — the end of a wait of src/pool/group.c, group_wait.c and seat.c for spin, over all
 * interleavings: the owner's wait ends when all tasks have, nobody touches the group after that, and the owner never
 * sleeps beside a task that only it can run. Each sequentially consistent step of the code is one step here, under the
 * same name; the deques have a model of their own and are one step each.
 * Parameters: TASKS (of the group, pushed by the owner), THIEVES, BELOW (the first stolen task pushes a task below the
 * group and lasts until another thread has run it: with one thief that is the owner).
 * Planted faults, to show that the model sees: NO_FOLD (the owner's count stays behind when it sleeps), TOUCH (who
 * finishes the last task looks at the group again), NO_LOOK (the waiter does not look after it asked), NO_SERVICE_LOOK
 * (a seat that begins to serve does not look whether the waiter sleeps), LATE_CLEAR (it forgets old wishes after that
 * look, not before it says whom it serves). */
#ifndef TASKS
#define TASKS 2
#endif
#ifndef THIEVES
#define THIEVES 2
#endif
#define WAITING  1
#define ONE_TASK 2

short state; /* may be below zero until the owner's count is moved over */
bool is_gone, is_asleep;
byte home; /* tasks in the owner's deque */

/* one seat a thief */
bool serves[THIEVES], hungry[THIEVES];
byte below[THIEVES]; /* tasks in its deque, below the one that it runs */
byte below_done;
bool below_used;

inline touch()
{
    assert(!is_gone)
}

inline futex_wake()
{
    is_asleep = false /* by address: the group may be gone */
}

inline set_service(value)
{
#ifndef LATE_CLEAR
    hungry[self] = false;
#endif
    serves[self] = value;
#ifndef NO_SERVICE_LOOK
    if
    :: value ->
        atomic { touch(); is_awaited = (state & WAITING) != 0 };
#ifdef LATE_CLEAR
        hungry[self] = is_awaited;
        is_awaited = false
#else
        if
        :: is_awaited -> hungry[self] = true; is_awaited = false
        :: else
        fi
#endif
    :: else
    fi
#endif
}

inline feed()
{
    hungry[self] = false;
    atomic {
        touch();
        is_awaited = (state & WAITING) != 0;
        state = state - (is_awaited -> WAITING : 0)
    };
    if
    :: is_awaited -> futex_wake(); is_awaited = false
    :: else
    fi
}

inline group_task_is_over()
{
    atomic { touch(); before = state; state = state - ONE_TASK };
    if
    :: before == ONE_TASK + WAITING ->
#ifdef TOUCH
        touch();
#endif
        futex_wake()
    :: else
    fi;
    before = 0
}

proctype thief(byte self)
{
    short before;
    bool is_awaited;
end_thief:
    do
    :: atomic { home > 0 -> home-- }; /* seat_steal */
        set_service(true);
#ifdef BELOW
        if
        :: atomic { !below_used -> below_used = true };
            below[self]++; /* push */
            if
            :: hungry[self] -> feed()
            :: !hungry[self]
            fi;
            below_done == 1 /* a wait for another thread's work: it must come */
        :: atomic { below_used -> skip }
        fi;
#endif
        set_service(false);
        group_task_is_over()
    od
}

proctype owner()
{
    short owned, seen, add;
    byte i;
    bool helped, found;
    do /* galley_group_spawn */
    :: owned < TASKS -> atomic { owned++; home++ }
    :: owned == TASKS -> break
    od;
    do /* pop_own */
    :: atomic { home > 0 -> home--; owned-- }
    :: atomic { home == 0 -> break }
    od;
    do /* group_wait_for_others */
    :: seen = state;
        if
        :: seen - (seen & WAITING) + ONE_TASK * owned == 0 -> break
        :: else
        fi;
        i = 0;
        do /* seat_steal_below */
        :: i < THIEVES ->
            if
            :: atomic { below[i] > 0 && serves[i] -> below[i]--; helped = true }
            :: atomic { !(below[i] > 0 && serves[i]) -> skip }
            fi;
            i++
        :: else -> break
        od;
        i = 0;
        if
        :: atomic { helped -> helped = false }; below_done++ /* runs it, and looks again */
        :: else ->
            /* doze */
#ifdef NO_FOLD
            add = WAITING;
#else
            atomic { add = ONE_TASK * owned + WAITING; owned = 0 };
#endif
            atomic { state = state + add; seen = state; add = 0 };
            do /* seat_ask */
            :: i < THIEVES ->
                if
                :: serves[i] -> hungry[i] = true;
#ifndef NO_LOOK
                    found = found || below[i] > 0
#endif
                :: !serves[i]
                fi;
                i++
            :: else -> break
            od;
            i = 0;
            if
            :: seen != WAITING && !found ->
                atomic { /* futex_wait */
                    if
                    :: state == seen -> is_asleep = true
                    :: else
                    fi
                };
                !is_asleep
            :: else
            fi;
            found = false;
            atomic { state = state - (state & WAITING) }
        fi;
        seen = 0
    od;
    assert(home == 0);
    is_gone = true
}

init
{
    byte i;
    atomic {
        run owner();
        do
        :: i < THIEVES -> run thief(i); i++
        :: else -> break
        od
    }
}
