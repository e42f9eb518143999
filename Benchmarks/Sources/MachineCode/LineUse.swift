/// The cache lines that a thread accessed.
public struct LineUse: Sendable {
    /// The size of a cache line on x86-64, in bytes.
    public static let lineSize: UInt64 = 64

    public struct Use: Equatable, Sendable {
        public var reads = 0
        public var writes = 0
        /// The address of an instruction that accessed the line: the first that wrote it, or the first one if none did.
        public var instruction: UInt64
    }

    /// The use of each line, by the line's address divided by its size.
    public private(set) var lines: [UInt64: Use] = [:]

    public init() {}

    public var written: Int { lines.values.count { $0.writes > 0 } }

    public mutating func note(_ address: UInt64, bytes: Int, writes: Bool, by instruction: UInt64) {
        for line in address / Self.lineSize...(address &+ UInt64(max(bytes, 1) - 1)) / Self.lineSize {
            var use = lines[line] ?? Use(instruction: instruction)
            if writes {
                if use.writes == 0 { use.instruction = instruction }
                use.writes += 1
            } else {
                use.reads += 1
            }
            lines[line] = use
        }
    }

    /// The lines that both threads accessed and at least one of them wrote, in order. They are transferred from CPU to CPU, even if the two threads use
    /// different bytes.
    public func contested(with other: LineUse) -> [UInt64] {
        lines.filter { line, use in other.lines[line].map { use.writes + $0.writes > 0 } ?? false }.keys.sorted()
    }

    /// Pairs of lines of which each thread accessed a different one, and at least one was written; the even lines are returned. They matter because processors
    /// fetch both lines of a pair.
    public func contestedPairs(with other: LineUse) -> [UInt64] {
        lines.compactMap { line, use in
            guard lines[line ^ 1] == nil, other.lines[line] == nil, let theirs = other.lines[line ^ 1], use.writes + theirs.writes > 0 else { return nil }
            return line & ~1
        }.sorted()
    }
}
