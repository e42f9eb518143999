import Foundation

/// What a process has written so far. One thread appends to it, others wait until they see what they need.
final class Transcript: @unchecked Sendable {
    private let condition = NSCondition()
    private var bytes: [UInt8] = []
    private var ended = false

    func append(_ more: UnsafeRawBufferPointer) {
        condition.withLock { bytes.append(contentsOf: more); condition.broadcast() }
    }
    func end() { condition.withLock { ended = true; condition.broadcast() } }

    var text: String { condition.withLock { String(decoding: bytes, as: UTF8.self) } }
    var count: Int { condition.withLock { bytes.count } }
    func text(from offset: Int) -> String { condition.withLock { String(decoding: bytes[offset...], as: UTF8.self) } }

    /// The complete lines; a last line that is not complete is left out, because long lines arrive in pieces.
    var lines: String { condition.withLock { Transcript.lines(bytes[...], ended: ended) } }

    private static func lines(_ bytes: ArraySlice<UInt8>, ended: Bool) -> String {
        String(decoding: ended ? bytes : bytes[..<(bytes.lastIndex(of: UInt8(ascii: "\n")) ?? bytes.startIndex)], as: UTF8.self)
    }

    /// Waits until `find` returns something for the complete lines that were written after byte `offset`. Returns nil when the deadline has passed or the
    /// writer has ended.
    func waitForLines<T>(from offset: Int = 0, until deadline: Deadline, _ find: (String) throws -> T?) rethrows -> T? {
        condition.lock()
        defer { condition.unlock() }
        while true {
            if let found = try find(Transcript.lines(bytes[min(offset, bytes.count)...], ended: ended)) { return found }
            if ended || !condition.wait(until: deadline.date) { return try find(Transcript.lines(bytes[min(offset, bytes.count)...], ended: ended)) }
        }
    }

    /// Waits until `find` returns something for what was written after byte `offset`. Returns nil when the deadline has passed or the writer has ended.
    func wait<T>(from offset: Int = 0, until deadline: Deadline, _ find: (String) throws -> T?) rethrows -> T? {
        condition.lock()
        defer { condition.unlock() }
        while true {
            if let found = try find(String(decoding: bytes[min(offset, bytes.count)...], as: UTF8.self)) { return found }
            if ended || !condition.wait(until: deadline.date) { return try find(String(decoding: bytes[min(offset, bytes.count)...], as: UTF8.self)) }
        }
    }

    func waitForEnd(until deadline: Deadline) -> Bool {
        condition.lock()
        defer { condition.unlock() }
        while !ended { if !condition.wait(until: deadline.date) { return ended } }
        return true
    }
}
