// _GNU_SOURCE declares epoll_pwait2.
#define _GNU_SOURCE
#include <rte_config.h>
#include "DPDKShim.h"
#include <errno.h>
#include <poll.h>
#include <rte_log.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

int sluice_event_create(void) {
    int event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return event < 0 ? -errno : event;
}

void sluice_event_signal(int event) {
    const uint64_t one = 1;
    ssize_t written = write(event, &one, sizeof one);
    (void)written;
}

void sluice_event_close(int event) { close(event); }

/* The data of an epoll entry is the number of the queue that it belongs to, or this for the loop's event. */
#define THE_EVENT UINT32_MAX

static int add(int set, int descriptor, bool edge, uint32_t what) {
    struct epoll_event entry = { .events = edge ? EPOLLIN | EPOLLET : EPOLLIN, .data.u32 = what };
    return epoll_ctl(set, EPOLL_CTL_ADD, descriptor, &entry) == 0 ? 0 : -errno;
}

int sluice_wait_set_open(int event) {
    int set = epoll_create1(EPOLL_CLOEXEC);
    if (set < 0) return -errno;
    int result = add(set, event, true, THE_EVENT);
    if (result == 0) return set;
    close(set);
    return result;
}

void sluice_wait_set_close(int set) { close(set); }

int sluice_wait_set_add(int set, int descriptor, bool edge, uint32_t queue) { return add(set, descriptor, edge, queue); }

sluice_woken sluice_wait(int set, uint64_t nanoseconds) {
    sluice_woken woken = {0};
    const struct timespec time = { .tv_sec = nanoseconds / 1000000000, .tv_nsec = nanoseconds % 1000000000 };
    if (set < 0) {
        ppoll(NULL, 0, &time, NULL);
        return woken;
    }
    struct epoll_event events[32];
    int count = epoll_pwait2(set, events, 32, &time, NULL);
    /* Linux before 5.11 only has waits in milliseconds. A shorter wait returns at once there, which costs CPU time but loses nothing. */
    if (count < 0 && errno == ENOSYS) count = epoll_wait(set, events, 32, (int)(nanoseconds / 1000000));
    for (int index = count - 1; index >= 0; index--) {
        if (events[index].data.u32 == THE_EVENT) {
            woken.by_event = true;
        } else {
            woken.by_queue = true;
            woken.queue = events[index].data.u32;
        }
    }
    return woken;
}

void sluice_wait_exactly(void) { prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL); }

int sluice_device_interrupt(uint16_t port, uint16_t queue, bool *armed) {
    /* Most virtual devices have no interrupts; that is not an error, so ethdev must not log one. */
    const int level = rte_log_get_level(rte_eth_dev_logtype);
    rte_log_set_level(rte_eth_dev_logtype, RTE_LOG_CRIT);
    int descriptor = rte_eth_dev_rx_intr_ctl_q_get_fd(port, queue);
    *armed = descriptor >= 0 && rte_eth_dev_rx_intr_enable(port, queue) == 0;
    if (*armed) rte_eth_dev_rx_intr_disable(port, queue);
    rte_log_set_level(rte_eth_dev_logtype, level);
    return descriptor;
}

void sluice_device_expect(uint16_t port, uint16_t queue) { (void)rte_eth_dev_rx_intr_enable(port, queue); }
void sluice_device_silence(uint16_t port, uint16_t queue) { (void)rte_eth_dev_rx_intr_disable(port, queue); }
