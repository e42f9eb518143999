// Attributes used by every header of the shim.
#ifndef SLUICE_SHIM_BASE_H
#define SLUICE_SHIM_BASE_H

#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>

/// The function may be called from Swift code under @_noLocks: it takes no lock, allocates nothing on the heap and counts no references.
#define SLUICE_HOT __attribute__((swift_attr("@_noLocks")))
#define SLUICE_INLINE SLUICE_HOT static inline __attribute__((always_inline))

#endif
