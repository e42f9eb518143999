#include <rte_config.h>
#include "DPDKShim.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_config.h>

/* Whether the guest's driver claims to have made more buffers available than the ring holds. If the ring has been moved since `available` was noted, the
 * number read there means nothing. */
static __attribute__((noinline)) bool is_broken(int vid, uint16_t ring, const uint16_t *available) {
    struct rte_vhost_vring now;
    uint16_t next, used;
    if (rte_vhost_get_vhost_vring(vid, ring, &now) != 0 || !now.avail || &now.avail->idx != available) return false;
    if (rte_vhost_get_vring_base(vid, ring, &next, &used) != 0) return false;
    return (uint16_t)(sluice_guest_read16(available, next) - next) > now.size;
}

static inline int check_ring(int vid, uint16_t ring, const sluice_ring *check, uint16_t count) {
    const uint16_t *available = __atomic_load_n(&check->available, __ATOMIC_RELAXED);
    if (!available) return count;
    uint16_t size = __atomic_load_n(&check->size, __ATOMIC_RELAXED), next, used;
    if (rte_vhost_get_vring_base(vid, ring, &next, &used) != 0) return 0;
    if (__builtin_expect((uint16_t)(sluice_guest_read16(available, next) - next) > size, 0))
        return is_broken(vid, ring, available) ? SLUICE_RING_BROKEN : 0;
    return count < size ? count : size;
}

int sluice_vhost_receive(int vid, uint16_t ring, const sluice_ring *check, struct rte_mempool *pool, struct rte_mbuf **frames, uint16_t count) {
    int allowed = check_ring(vid, ring, check, count);
    return allowed > 0 ? rte_vhost_dequeue_burst(vid, ring, pool, frames, (uint16_t)allowed) : allowed;
}

int sluice_vhost_send(int vid, uint16_t ring, const sluice_ring *check, struct rte_mbuf **frames, uint16_t count) {
    int allowed = check_ring(vid, ring, check, count);
    return allowed > 0 ? rte_vhost_enqueue_burst(vid, ring, frames, (uint16_t)allowed) : allowed;
}

void sluice_ring_set(sluice_ring *check, int vid, uint16_t ring, bool on) {
    struct rte_vhost_vring now;
    uint64_t features = 0;
    const uint16_t *available = NULL;
    if (on && rte_vhost_get_negotiated_features(vid, &features) == 0 && !(features & 1ULL << VIRTIO_F_RING_PACKED)
        && rte_vhost_get_vhost_vring(vid, ring, &now) == 0 && now.avail) {
        available = &now.avail->idx;
        __atomic_store_n(&check->size, now.size, __ATOMIC_RELAXED);
    }
    __atomic_store_n(&check->available, available, __ATOMIC_RELEASE);
}

void sluice_vhost_silence(int vid, uint16_t pair) {
    (void)rte_vhost_enable_guest_notification(vid, 2 * pair, 0);
    (void)rte_vhost_enable_guest_notification(vid, 2 * pair + 1, 0);
}

/* librte_vhost keeps the pointer that it is given instead of a copy; all sockets share one table. */
static struct rte_vhost_device_ops operations;
static sluice_vhost_callbacks own;

/* The vhost-user messages that are handled here, and the header that all messages have (QEMU, docs/interop/vhost-user.rst). */
enum { SET_MEM_TABLE = 5, SET_VRING_NUM = 8, SET_VRING_ADDR = 9, SET_VRING_CALL = 13, GET_INFLIGHT_FD = 31, SET_INFLIGHT_FD = 32 };
enum { NEED_REPLY = 1 << 3 };
typedef struct __attribute__((packed)) {
    uint32_t request, flags, size;
    union {
        uint64_t number;
        struct { uint32_t index, value; } ring;
    } payload;
} message;

/* Refuses messages that librte_vhost 22.11 cannot handle safely. The flag NEED_REPLY is cleared because an error without a reply ends the connection,
 * whereas a reply would keep it open. */
static enum rte_vhost_msg_result before_message(int vid, void *context) {
    message *received = context;
    struct rte_vhost_vring ring;
    switch (received->request) {
    case SET_VRING_NUM:
        /* On a running ring this message would replace tables that poll loops are using. */
        if (rte_vhost_get_vhost_vring(vid, (uint16_t)received->payload.ring.index, &ring) != 0 || !ring.desc || ring.kickfd < 0) break;
        received->flags &= ~(uint32_t)NEED_REPLY;
        return RTE_VHOST_MSG_RESULT_ERR;
    case GET_INFLIGHT_FD:
    case SET_INFLIGHT_FD:
        /* This feature is not offered to network devices, and librte_vhost does not check the region's size against that of its file. */
        received->flags &= ~(uint32_t)NEED_REPLY;
        return RTE_VHOST_MSG_RESULT_ERR;
    }
    return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
}

static enum rte_vhost_msg_result after_message(int vid, void *context) {
    const message *received = context;
    struct rte_vhost_vring ring;
    switch (received->request) {
    case SET_VRING_CALL:
        /* A poll loop writes to this descriptor, and must never wait for its reader. */
        if (rte_vhost_get_vhost_vring(vid, received->payload.number & 0xff, &ring) == 0 && ring.callfd >= 0) {
            int flags = fcntl(ring.callfd, F_GETFL);
            if (flags >= 0) (void)fcntl(ring.callfd, F_SETFL, flags | O_NONBLOCK);
        }
        break;
    case SET_MEM_TABLE: sluice_guest_memory_set(vid); /* Fall through. */
    case SET_VRING_ADDR: own.moved(vid); break;
    }
    return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
}

static struct rte_vhost_user_extern_ops messages = { .pre_msg_handle = before_message, .post_msg_handle = after_message };

static int connected(int vid) {
    int answer = own.connected(vid);
    return answer == 0 ? rte_vhost_extern_callback_register(vid, &messages, NULL) : answer;
}

static void disconnected(int vid) {
    own.disconnected(vid);
    sluice_guest_memory_forget(vid);
}

int sluice_vhost_open(const char *path, bool client, uint64_t features_off, const sluice_vhost_callbacks *callbacks,
                      const char **failed_step) {
    own = *callbacks;
    operations.new_connection = connected;
    operations.destroy_connection = disconnected;
    operations.new_device = callbacks->added;
    operations.destroy_device = callbacks->removed;
    operations.vring_state_changed = callbacks->ring_changed;
    *failed_step = "rte_vhost_driver_register";
    errno = 0;
    if (rte_vhost_driver_register(path, client ? RTE_VHOST_USER_CLIENT : 0) != 0) return errno ? -errno : -EINVAL;
    *failed_step = "rte_vhost_driver_disable_features";
    int failed = features_off ? rte_vhost_driver_disable_features(path, features_off) : 0;
    if (failed == 0) {
        *failed_step = "rte_vhost_driver_callback_register";
        failed = rte_vhost_driver_callback_register(path, &operations);
    }
    if (failed == 0) {
        *failed_step = "rte_vhost_driver_start";
        errno = 0;
        failed = rte_vhost_driver_start(path);
    }
    if (failed == 0) { *failed_step = NULL; return 0; }
    int error = errno ? errno : EIO;
    rte_vhost_driver_unregister(path);
    return -error;
}

int sluice_vhost_close(const char *path) { return rte_vhost_driver_unregister(path); }
