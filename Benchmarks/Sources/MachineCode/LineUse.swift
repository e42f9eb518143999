/// The lines of memory that a thread touched.
public struct LineUse: Sendable {
    /// Bytes of a cache line on x86-64.
    public static let lineSize: UInt64 = 64

    public struct Use: Equatable, Sendable {
        public var reads = 0
        public var writes = 0
        /// Address of an instruction that touched it: the first that wrote it, or else the first.
        public var instruction: UInt64
    }

    /// By address of the line, divided by its size.
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

    /// Lines that both touched and one at least wrote, in order. Those are carried from CPU to CPU, whether the two mean the same bytes or not.
    public func contested(with other: LineUse) -> [UInt64] {
        lines.filter { line, use in other.lines[line].map { use.writes + $0.writes > 0 } ?? false }.keys.sorted()
    }

    /// The even ones of pairs of lines of which each touched another and one at least was written: processors fetch the other line of a pair along.
    public func contestedPairs(with other: LineUse) -> [UInt64] {
        lines.compactMap { line, use in
            guard lines[line ^ 1] == nil, other.lines[line] == nil, let theirs = other.lines[line ^ 1], use.writes + theirs.writes > 0 else { return nil }
            return line & ~1
        }.sorted()
    }
}
