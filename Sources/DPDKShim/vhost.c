#include <rte_config.h>
#include "DPDKShim.h"
#include <errno.h>

uint16_t sluice_vhost_receive(int vid, uint16_t ring, struct rte_mempool *pool, struct rte_mbuf **frames, uint16_t count) {
    return rte_vhost_dequeue_burst(vid, ring, pool, frames, count);
}
uint16_t sluice_vhost_send(int vid, uint16_t ring, struct rte_mbuf **frames, uint16_t count) {
    return rte_vhost_enqueue_burst(vid, ring, frames, count);
}

void sluice_vhost_silence(int vid, uint16_t pair) {
    (void)rte_vhost_enable_guest_notification(vid, 2 * pair, 0);
    (void)rte_vhost_enable_guest_notification(vid, 2 * pair + 1, 0);
}

/* librte_vhost keeps the pointer it is given, so one table serves every socket. */
static struct rte_vhost_device_ops operations;

int sluice_vhost_open(const char *path, bool client, uint64_t features_off, const sluice_vhost_callbacks *callbacks,
                      const char **failed_step) {
    operations.new_connection = callbacks->connected;
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
