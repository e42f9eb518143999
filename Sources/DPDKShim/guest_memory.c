#include <rte_config.h>
#include "DPDKShim.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>

/* A guest's memory is a file that the process at the other end of the socket may shorten at any time. Whoever then touches the missing part gets SIGBUS.
 * The signal handler replaces the whole region by zeros, so that the access succeeds, and marks it as lost, so that the port is taken out of service. */

typedef struct {
    uintptr_t start;
    size_t length; /* 0: the place is free */
    uint32_t guest;
    bool lost;
} region;

/* Enough for as many ports as a daemon may have, with the 32 regions each that are offered, and a log. The signal handler reads the table without a lock: `length` is the last field
 * to be written when a region is added, and the first to be cleared when it is removed. */
enum { region_count = 1024 * (32 + 1) };
static region regions[region_count];
static pthread_mutex_t writers = PTHREAD_MUTEX_INITIALIZER;
/* Number of regions that are lost now. It spares the search in the usual case: every port is asked many times a second, and hardly ever has anything been
 * lost. */
static unsigned lost_regions;

void sluice_guest_memory_add(uint32_t guest, void *start, size_t length) {
    pthread_mutex_lock(&writers);
    size_t place = 0;
    while (place < region_count && regions[place].length) place++;
    if (place < region_count) {
        regions[place].start = (uintptr_t)start;
        regions[place].guest = guest;
        __atomic_store_n(&regions[place].length, length, __ATOMIC_RELEASE);
    }
    pthread_mutex_unlock(&writers);
}

void sluice_guest_memory_remove(void *start) {
    pthread_mutex_lock(&writers);
    for (size_t place = 0; place < region_count; place++) {
        if (!regions[place].length || regions[place].start != (uintptr_t)start) continue;
        __atomic_store_n(&regions[place].length, 0, __ATOMIC_RELEASE);
        if (__atomic_exchange_n(&regions[place].lost, false, __ATOMIC_RELAXED)) __atomic_fetch_sub(&lost_regions, 1, __ATOMIC_RELAXED);
    }
    pthread_mutex_unlock(&writers);
}

bool sluice_guest_memory_lost(uint32_t guest) {
    if (__atomic_load_n(&lost_regions, __ATOMIC_RELAXED) == 0) return false;
    for (size_t place = 0; place < region_count; place++)
        if (__atomic_load_n(&regions[place].length, __ATOMIC_ACQUIRE) && regions[place].guest == guest
            && __atomic_load_n(&regions[place].lost, __ATOMIC_RELAXED)) return true;
    return false;
}

static void on_fault(int number, siginfo_t *info, void *context) {
    (void)context;
    int saved = errno;
    uintptr_t address = (uintptr_t)info->si_addr;
    for (size_t place = 0; place < region_count; place++) {
        size_t length = __atomic_load_n(&regions[place].length, __ATOMIC_ACQUIRE);
        if (address - regions[place].start >= length) continue;
        if (mmap((void *)regions[place].start, length, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) == MAP_FAILED) break;
        if (!__atomic_exchange_n(&regions[place].lost, true, __ATOMIC_RELAXED)) __atomic_fetch_add(&lost_regions, 1, __ATOMIC_RELAXED);
        errno = saved;
        return;
    }
    /* Any other fault is an error of the daemon's own: with the default action restored, it dies when the same instruction faults again. */
    signal(number, SIG_DFL);
}

void sluice_guest_memory_watch(void) {
    struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER };
    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, &action, NULL);
}
