/* Replaces libc's allocator functions for the whole process, including drivers, and passes each call on to libc. */
#include "AllocationCount.h"
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);
void *__libc_valloc(size_t);
void __libc_free(void *);

static __thread bool counting;
static __thread uint64_t allocated, freed;

void allocation_count_begin(void) {
    allocated = freed = 0;
    counting = true;
}

void allocation_count_end(uint64_t *allocations, uint64_t *frees) {
    counting = false;
    *allocations = allocated;
    *frees = freed;
}

void *malloc(size_t size) {
    allocated += counting;
    return __libc_malloc(size);
}

void *calloc(size_t number, size_t size) {
    allocated += counting;
    return __libc_calloc(number, size);
}

void *realloc(void *memory, size_t size) {
    allocated += counting;
    return __libc_realloc(memory, size);
}

void *memalign(size_t alignment, size_t size) {
    allocated += counting;
    return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
    allocated += counting;
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size) {
    allocated += counting;
    if (alignment % sizeof(void *) != 0 || alignment == 0 || (alignment & (alignment - 1)) != 0) return EINVAL;
    void *result = __libc_memalign(alignment, size);
    if (!result) return ENOMEM;
    *memory = result;
    return 0;
}

void *valloc(size_t size) {
    allocated += counting;
    return __libc_valloc(size);
}

void free(void *memory) {
    freed += counting;
    __libc_free(memory);
}
