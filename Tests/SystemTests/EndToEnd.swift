import Testing

/// Everything that runs real processes; one test at a time, because they share two CPUs.
@Suite("End to end", .serialized, .needs(.root))
struct EndToEnd {}
