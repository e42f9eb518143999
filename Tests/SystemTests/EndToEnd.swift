import Testing

/// All tests that run real processes. They run one at a time, because they share two CPUs.
@Suite("End to end", .serialized, .needs(.root))
struct EndToEnd {}
