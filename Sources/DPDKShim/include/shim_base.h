// Marks shared by every header of the shim.
#ifndef SLUICE_SHIM_BASE_H
#define SLUICE_SHIM_BASE_H

#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>

/// May be called from Swift code under @_noLocks: takes no lock, allocates nothing from the heap, counts no references.
#define SLUICE_HOT __attribute__((swift_attr("@_noLocks")))
#define SLUICE_INLINE SLUICE_HOT static inline __attribute__((always_inline))

#endif
