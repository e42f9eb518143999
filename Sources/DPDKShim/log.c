// _GNU_SOURCE declares fopencookie.
#define _GNU_SOURCE
#include <rte_config.h>
#include "DPDKShim.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <rte_log.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* How many bytes may be logged at once, and how many more each second. There must be a limit, because what guests do can make drivers log as often as they
 * like. */
enum { log_burst = 64 << 10, log_rate = 8 << 10 };

static pthread_mutex_t speaking = PTHREAD_MUTEX_INITIALIZER;
static uint64_t left_out;

/* The unit in which text is written: if poll() reports room, standard error takes a piece of this size as a whole. */
enum { piece = 4096 };

static bool has_room(int patience) {
    struct pollfd standard_error = { .fd = STDERR_FILENO, .events = POLLOUT };
    return poll(&standard_error, 1, patience) == 1 && (standard_error.revents & POLLOUT);
}

static bool put(const char *text, size_t length, int patience) {
    while (length > 0) {
        size_t part = length < piece ? length : piece;
        if (!has_room(patience)) return false;
        /* Another process that shares the socket may have filled it since poll(), so the call must not wait either. */
        ssize_t written = send(STDERR_FILENO, text, part, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (written < 0 && errno == ENOTSOCK) written = write(STDERR_FILENO, text, part);
        if (written <= 0) return false;
        text += written;
        length -= (size_t)written;
    }
    return true;
}

bool sluice_log_write(const char *text, size_t length, int patience) {
    pthread_mutex_lock(&speaking);
    bool done = true;
    if (left_out > 0) {
        char notice[128];
        int size = snprintf(notice, sizeof notice, "sluiced: %llu messages were left out here: there were too many, or nobody read them\n", (unsigned long long)left_out);
        done = put(notice, (size_t)size, patience);
        if (done) left_out = 0;
    }
    done = done && put(text, length, patience);
    if (!done) left_out++;
    pthread_mutex_unlock(&speaking);
    return done;
}

static ssize_t write_limited(void *cookie, const char *text, size_t length) {
    static pthread_mutex_t counting = PTHREAD_MUTEX_INITIALIZER;
    static double allowed = log_burst;
    static struct timespec before;
    (void)cookie;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    pthread_mutex_lock(&counting);
    if (before.tv_sec) allowed += ((double)(now.tv_sec - before.tv_sec) + (double)(now.tv_nsec - before.tv_nsec) / 1e9) * log_rate;
    if (allowed > log_burst) allowed = log_burst;
    before = now;
    bool permitted = allowed >= (double)length;
    if (permitted) allowed -= (double)length;
    pthread_mutex_unlock(&counting);
    if (permitted) {
        (void)sluice_log_write(text, length, 0);
    } else {
        pthread_mutex_lock(&speaking);
        left_out++;
        pthread_mutex_unlock(&speaking);
    }
    return (ssize_t)length;
}

static ssize_t write_plainly(void *cookie, const char *text, size_t length) {
    (void)cookie;
    (void)sluice_log_write(text, length, 0);
    return (ssize_t)length;
}

void sluice_standard_error_never_waits(void) {
    struct stat info;
    if (fstat(STDERR_FILENO, &info) == 0 && (S_ISFIFO(info.st_mode) || isatty(STDERR_FILENO))) {
        /* The file is opened again, so that O_NONBLOCK applies to this process alone: other processes may share the old file description. */
        int own = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (own >= 0) {
            (void)dup3(own, STDERR_FILENO, 0);
            close(own);
        }
    }
    FILE *stream = fopencookie(NULL, "w", (cookie_io_functions_t){ .write = write_plainly });
    if (!stream) return;
    setvbuf(stream, NULL, _IOLBF, 0);
    stderr = stream;
}

int sluice_log_without_waiting(void) {
    FILE *stream = fopencookie(NULL, "w", (cookie_io_functions_t){ .write = write_limited });
    return stream ? rte_openlog_stream(stream) : -1;
}
