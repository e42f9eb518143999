#include <rte_config.h>
#include "DPDKShim.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>

/* A guest's memory is a file that the process at the other end of the socket may shorten at any time. Whoever then touches the missing part gets SIGBUS.
 * The signal handler replaces the whole region by zeros, so that the access succeeds, and marks it as lost, so that the port is taken out of service. */

typedef struct {
    uintptr_t start;
    size_t length; /* 0: the place is free */
    int vid;
    bool lost;
} region;

/* Enough for 1 000 guests with the 8 regions each that the protocol allows. The signal handler reads the table without a lock: `length` is the last field
 * to be written when a region is added, and the first to be cleared when it is removed. */
enum { region_count = 8192 };
static region regions[region_count];
static pthread_mutex_t writers = PTHREAD_MUTEX_INITIALIZER;
/* Number of regions that are lost now. It spares the search in the usual case: every port is asked many times a second, and hardly ever has anything been
 * lost. */
static unsigned lost_regions;

static void forget(int vid) {
    for (size_t place = 0; place < region_count; place++) {
        if (!regions[place].length || regions[place].vid != vid) continue;
        __atomic_store_n(&regions[place].length, 0, __ATOMIC_RELEASE);
        if (__atomic_exchange_n(&regions[place].lost, false, __ATOMIC_RELAXED)) __atomic_fetch_sub(&lost_regions, 1, __ATOMIC_RELAXED);
    }
}

void sluice_guest_memory_set(int vid) {
    struct rte_vhost_memory *memory = NULL;
    if (vid < 0 || rte_vhost_get_mem_table(vid, &memory) != 0) memory = NULL;
    pthread_mutex_lock(&writers);
    forget(vid);
    for (uint32_t number = 0, place = 0; memory && number < memory->nregions; number++) {
        while (place < region_count && regions[place].length) place++;
        if (place == region_count) break;
        regions[place].start = (uintptr_t)memory->regions[number].mmap_addr;
        regions[place].vid = vid;
        __atomic_store_n(&regions[place].length, memory->regions[number].mmap_size, __ATOMIC_RELEASE);
    }
    pthread_mutex_unlock(&writers);
    free(memory);
}

void sluice_guest_memory_forget(int vid) {
    pthread_mutex_lock(&writers);
    forget(vid);
    pthread_mutex_unlock(&writers);
}

bool sluice_guest_memory_lost(int vid) {
    if (__atomic_load_n(&lost_regions, __ATOMIC_RELAXED) == 0) return false;
    for (size_t place = 0; place < region_count; place++)
        if (__atomic_load_n(&regions[place].length, __ATOMIC_ACQUIRE) && regions[place].vid == vid
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
