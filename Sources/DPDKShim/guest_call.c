#include <rte_config.h>
#include "DPDKShim.h"
#include <errno.h>
#include <linux/aio_abi.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Whether a write to an eventfd waits is a flag that all who hold it share: a guest's process may change it at any time, and fill the counter, and whoever
 * then writes would hang. The kernel itself adds to a counter without waiting. It does so for every asynchronous operation that names an eventfd to be told by
 * (io_submit(2), aio_resfd) when that is done, and this one is done at once: it polls an eventfd of its own that is always readable. */

/* The memory that a thread shares with the kernel begins so (struct aio_ring in fs/aio.c). Completions are thrown away by moving the head to the tail. */
typedef struct {
    unsigned id, count, head, tail;
} completions;

enum { unknown, works, missing };
static _Thread_local int state;
static _Thread_local aio_context_t context;
static _Thread_local int readable;

static void begin(void) {
    readable = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);
    state = readable >= 0 && syscall(SYS_io_setup, 8, &context) == 0 ? works : missing;
}

void sluice_guest_call(int descriptor) {
    if (__builtin_expect(state == unknown, 0)) begin();
    if (state == works) {
        struct iocb operation = {
            .aio_lio_opcode = IOCB_CMD_POLL, .aio_fildes = (unsigned)readable, .aio_buf = 1 /* POLLIN */, .aio_flags = IOCB_FLAG_RESFD,
            .aio_resfd = (unsigned)descriptor
        };
        struct iocb *operations[] = { &operation };
        completions *done = (completions *)context;
        __atomic_store_n(&done->head, __atomic_load_n(&done->tail, __ATOMIC_ACQUIRE), __ATOMIC_RELEASE);
        if (syscall(SYS_io_submit, context, 1, operations) == 1) return;
        /* Pipes are no eventfds; theirs are opened anew here, so that their flags are our own. */
        if (errno != EINVAL) return;
    }
    (void)eventfd_write(descriptor, 1);
}
