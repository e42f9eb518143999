#include <rte_config.h>
#include "DPDKShim.h"
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

int sluice_log_to(int fd) {
    if (fd < 0) return rte_openlog_stream(NULL);
    FILE *stream = fdopen(dup(fd), "w");
    if (!stream) return -errno;
    setvbuf(stream, NULL, _IOLBF, 0);
    return rte_openlog_stream(stream);
}
