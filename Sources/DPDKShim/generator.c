#define _GNU_SOURCE
#include <rte_config.h>
#include "DPDKShim.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

void sluice_frame_gather(const struct rte_mbuf *m, uint32_t count, void *buffer) {
    const void *bytes = rte_pktmbuf_read(m, 0, count, buffer);
    if (bytes && bytes != buffer) memcpy(buffer, bytes, count);
}

int sluice_generator_start_eal(int count, char **arguments) { return rte_eal_init(count, arguments); }

int sluice_generator_pin(int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    return sched_setaffinity(0, sizeof set, &set) == 0 ? 0 : -errno;
}

int sluice_generator_memory(const char *directory, size_t size, size_t *page) {
    int memory;
    if (directory) {
        char path[4096];
        if (snprintf(path, sizeof path, "%s/sluice-gen-XXXXXX", directory) >= (int)sizeof path) return -ENAMETOOLONG;
        memory = mkostemp(path, O_CLOEXEC);
        if (memory >= 0) unlink(path);
    } else {
        memory = memfd_create("sluice-gen", MFD_CLOEXEC);
    }
    struct stat status;
    // A file in hugetlbfs has its page size as its block size.
    if (memory >= 0 && fstat(memory, &status) == 0) {
        *page = (size_t)status.st_blksize;
        if (ftruncate(memory, (off_t)((size + *page - 1) / *page * *page)) == 0) return memory;
    }
    int error = errno;
    if (memory >= 0) close(memory);
    return -error;
}
