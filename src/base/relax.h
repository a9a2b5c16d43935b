/* base/relax.h — a hint to the CPU that the caller waits in a loop: it saves power and leaves the
 * core to its other hardware thread. Nothing where there is no such instruction. Any thread. */
#ifndef BASE_RELAX_H
#define BASE_RELAX_H

#if defined(__x86_64__) || defined(__i386__)
static inline void cpu_relax(void)
{
    __builtin_ia32_pause();
}
#elif defined(__aarch64__)
static inline void cpu_relax(void)
{
    __asm__ volatile("yield");
}
#else
static inline void cpu_relax(void)
{
}
#endif

#endif
