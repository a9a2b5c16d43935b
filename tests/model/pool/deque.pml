/* tests/model/pool/deque.pml — the deque of src/pool/task_deque.h for spin, over all interleavings: every task is taken
 * once, by the owner or by a thief. Each access to shared memory in the code is one step here; top and bottom are
 * sequentially consistent in the code, and a slot's value is settled before the bottom that covers it is stored, so
 * interleaving is the whole truth.
 * Parameters: TASKS, THIEVES, ROOM (slots of the ring).
 * Planted faults, to show that the model sees: NO_CAS (the owner takes the last task without the compare-exchange),
 * NO_ORDER (the owner reads top before it stores bottom), BLIND (a thief moves top without the compare-exchange),
 * NO_ROOM_LOOK (a push into a full ring), OLD_TOP (a thief reads bottom before top). */
#ifndef TASKS
#define TASKS 3
#endif
#ifndef THIEVES
#define THIEVES 2
#endif
#ifndef ROOM
#define ROOM 2
#endif

/* indices count from 1, so that the owner's bottom - 1 is a byte */
byte top = 1, bottom = 1;
byte slots[ROOM];
byte taken[TASKS + 1];
byte pushed;
bool is_over;

inline take(task)
{
    atomic {
        taken[task]++;
        assert(taken[task] == 1)
    }
}

proctype thief()
{
    byte t, b, task;
    do
    :: is_over -> break
    :: else ->
#ifdef OLD_TOP
        b = bottom;
        t = top;
#else
        t = top;
        b = bottom;
#endif
        if
        :: t < b -> task = slots[t % ROOM];
#ifdef BLIND
            top = t + 1;
            take(task)
#else
            if
            :: atomic { top == t -> top = t + 1 }; take(task)
            :: atomic { top != t -> skip }
            fi
#endif
        :: t >= b
        fi;
        atomic { t = 0; b = 0; task = 0 }
    od
}

inline push()
{
    t = top;
#ifdef NO_ROOM_LOOK
    if
    :: true ->
#else
    if
    :: bottom - t >= ROOM
    :: bottom - t < ROOM ->
#endif
        pushed++;
        slots[bottom % ROOM] = pushed;
        bottom = bottom + 1
    fi;
    t = 0
}

inline pop()
{
    b = bottom - 1;
#ifdef NO_ORDER
    t = top;
    bottom = b;
#else
    bottom = b;
    t = top;
#endif
    if
    :: t < b -> found = slots[b % ROOM]
    :: t == b ->
        task = slots[b % ROOM];
#ifdef NO_CAS
        atomic { found = task; top = t + 1 };
#else
        if
        :: atomic { top == t -> top = t + 1; found = task }
        :: atomic { top != t -> skip }
        fi;
#endif
        bottom = b + 1
    :: t > b -> bottom = b + 1
    fi;
    if
    :: found -> take(found); found = 0
    :: else -> was_empty = true
    fi;
    atomic { t = 0; b = 0; task = 0 }
}

proctype owner()
{
    byte t, b, task, found, i;
    bool was_empty;
    do
    :: pushed < TASKS -> push()
    :: pushed < TASKS -> pop()
    :: pushed == TASKS -> break
    od;
    was_empty = false;
    do
    :: !was_empty -> pop()
    :: was_empty -> break
    od;
    is_over = true
}

/* When nothing can move any more, every task was taken. */
proctype judge()
{
    byte i;
end_judge:
    timeout;
    i = 1;
    do
    :: i <= TASKS -> assert(taken[i] == 1); i++
    :: else -> break
    od
}

init
{
    byte i;
    atomic {
        run owner();
        do
        :: i < THIEVES -> run thief(); i++
        :: else -> break
        od;
        run judge()
    }
}
