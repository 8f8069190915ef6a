/* A moved time of day, for the tests: preloaded into every process that uses the C library.
 *
 * LEADWIRE_CLOCK_OFFSET says by how many seconds. CLOCK_REALTIME and its relatives are moved. CLOCK_MONOTONIC, by which
 * timers run, is not, and where a deadline is given by CLOCK_REALTIME the kernel gets the real one.
 */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static int (*real_clock_gettime)(clockid_t, struct timespec *);
static int (*real_clock_nanosleep)(clockid_t, int, const struct timespec *, struct timespec *);
static int (*real_sem_timedwait)(sem_t *, const struct timespec *);
static time_t offset;

__attribute__((constructor)) static void begin(void)
{
    const char *seconds = getenv("LEADWIRE_CLOCK_OFFSET");

    offset = seconds ? (time_t)strtoll(seconds, NULL, 10) : 0;
    *(void **)&real_clock_nanosleep = dlsym(RTLD_NEXT, "clock_nanosleep");
    *(void **)&real_sem_timedwait = dlsym(RTLD_NEXT, "sem_timedwait");
    *(void **)&real_clock_gettime = dlsym(RTLD_NEXT, "clock_gettime");
}

static int is_moved(clockid_t clock)
{
    return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_TAI;
}

static struct timespec unmoved(const struct timespec *deadline)
{
    struct timespec real = *deadline;

    real.tv_sec = real.tv_sec > offset ? real.tv_sec - offset : 0;
    return real;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    /* Others' constructors may come before ours. */
    int result = real_clock_gettime ? real_clock_gettime(clock, now) : (int)syscall(SYS_clock_gettime, clock, now);

    if (result == 0 && is_moved(clock))
        now->tv_sec += offset;
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec precise;

    (void)zone; /* obsolete: gettimeofday(2) */
    if (clock_gettime(CLOCK_REALTIME, &precise) != 0)
        return -1;
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *now)
{
    struct timespec precise;

    if (clock_gettime(CLOCK_REALTIME_COARSE, &precise) != 0)
        return (time_t)-1;
    if (now)
        *now = precise.tv_sec;
    return precise.tv_sec;
}

int timespec_get(struct timespec *now, int base)
{
    return base == TIME_UTC && clock_gettime(CLOCK_REALTIME, now) == 0 ? base : 0;
}

int clock_nanosleep(clockid_t clock, int flags, const struct timespec *request, struct timespec *remain)
{
    if (is_moved(clock) && (flags & TIMER_ABSTIME) != 0) {
        struct timespec real = unmoved(request);
        return real_clock_nanosleep(clock, flags, &real, remain);
    }
    return real_clock_nanosleep(clock, flags, request, remain);
}

int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict deadline)
{
    struct timespec real = unmoved(deadline);

    return real_sem_timedwait(semaphore, &real);
}
