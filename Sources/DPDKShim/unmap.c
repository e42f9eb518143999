// _GNU_SOURCE declares pthread_getname_np.
#define _GNU_SOURCE
#include "DPDKShim.h"
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static _Atomic(void (*)(void)) before_unmapping;

void sluice_before_unmapping(void (*wait)(void)) { atomic_store(&before_unmapping, wait); }

static bool on_interrupt_thread(void) {
    static __thread int known; /* 0: not looked up yet, 1: no, 2: yes */
    if (known == 0) {
        char name[16] = "";
        known = pthread_getname_np(pthread_self(), name, sizeof name) == 0 && strcmp(name, "eal-intr-thread") == 0 ? 2 : 1;
    }
    return known == 2;
}

/* Replaces libc's munmap in the whole process. The drivers that unmap are shared objects and offer no other place at which to wait. */
int munmap(void *address, size_t length) {
    void (*wait)(void) = atomic_load_explicit(&before_unmapping, memory_order_acquire);
    if (wait && on_interrupt_thread()) wait();
    return (int)syscall(SYS_munmap, address, length);
}
