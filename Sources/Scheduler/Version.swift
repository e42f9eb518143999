/// Nanoseconds on a clock that never goes back. The scheduler reads no clock: every call is told the time.
public typealias Nanoseconds = UInt64
