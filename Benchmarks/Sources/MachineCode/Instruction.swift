/// What an x86-64 instruction reads and writes in memory. The stack accesses of calls, returns, pushes and pops are left out.
public struct Instruction: Equatable, Sendable {
    public struct Access: Equatable, Sendable {
        public var operand: MemoryOperand
        /// Whether it may write there; otherwise it only reads.
        public var writes: Bool
    }

    /// The address of the instruction in its file.
    public var place: UInt64
    /// The operands in memory: none, one, or two for an instruction that moves strings.
    public var accesses: [Access] = []
    /// The number of bytes that are read or written, or the least that it can be if that is not known.
    public var bytes = 1

    /// Parses a line of `objdump -d --no-show-raw-insn`, such as `  19f7da:\tmov    %rax,0x8(%rdi)`. Returns nil if it is not an instruction.
    public init?(_ line: Substring) {
        guard let place = Self.place(of: line), let colon = line.firstIndex(of: ":") else { return nil }
        self.place = place
        var words = line[line.index(after: colon)...].split(maxSplits: 8, whereSeparator: { $0 == " " || $0 == "\t" })[...]
        var isLocked = false
        while let word = words.first, Self.prefixes.contains(word) {
            isLocked = isLocked || word == "lock"
            words.removeFirst()
        }
        guard let name = words.popFirst(), let text = words.first, !Self.touchesNothing(name) else { return }
        let operands = Self.operands(text)
        bytes = Self.bytes(name, operands)
        for (number, text) in operands.enumerated() {
            guard let operand = MemoryOperand(text) else { continue }
            let isTarget = number == operands.count - 1 && Self.writesLast(name, alone: operands.count == 1)
            accesses.append(Access(operand: operand, writes: isTarget || isLocked || name.hasPrefix("xchg")))
        }
    }

    /// The address alone of such a line. This is fast, for code that needs few of many lines.
    public static func place(of line: Substring) -> UInt64? {
        var place: UInt64 = 0, digits = 0
        for byte in line.utf8 {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): place = place << 4 | UInt64(byte - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"): place = place << 4 | UInt64(byte - UInt8(ascii: "a") + 10)
            case UInt8(ascii: " ") where digits == 0: continue
            case UInt8(ascii: ":") where digits > 0: return place
            default: return nil
            }
            digits += 1
            if digits > 16 { return nil }
        }
        return nil
    }

    private static let prefixes: Set<Substring> = ["lock", "rep", "repz", "repnz", "notrack", "bnd", "data16", "cs", "ds", "xacquire", "xrelease"]

    private static func touchesNothing(_ name: Substring) -> Bool { name.hasPrefix("lea") || name.hasPrefix("nop") || name.hasPrefix("prefetch") }

    /// The operands, split at those commas that are not within parentheses.
    private static func operands(_ text: Substring) -> [Substring] {
        var depth = 0
        return text.split { character in
            if character == "(" { depth += 1 }
            if character == ")" { depth -= 1 }
            return character == "," && depth == 0
        }
    }

    /// Whether an instruction writes its last operand, as most do in this notation.
    private static func writesLast(_ name: Substring, alone: Bool) -> Bool {
        let reads = ["cmp", "test", "ucomis", "comis", "vucomis", "vcomis", "ptest", "vptest", "vtest", "call", "jmp", "push", "vldmxcsr", "ldmxcsr"]
        if name.hasPrefix("cmpxchg") { return true }
        if reads.contains(where: { name.hasPrefix($0) }) { return false }
        // Instructions that access one bit: bts, btr and btc change it; bt, with or without a size suffix, does not.
        if ["bt", "btw", "btl", "btq"].contains(name) { return false }
        return !(alone && ["mul", "div", "imul", "idiv"].contains { name.hasPrefix($0) })
    }

    private static func bytes(_ name: Substring, _ operands: [Substring]) -> Int {
        let letters: [Character: Int] = ["b": 1, "w": 2, "l": 4, "q": 8]
        if name.hasPrefix("movz") || name.hasPrefix("movs"), name.count == 6 { return letters[name[name.index(name.startIndex, offsetBy: 4)]] ?? 1 }
        let bare = name.hasPrefix("v") ? name.dropFirst() : name
        if ["movd", "movss"].contains(bare) { return 4 }
        if ["movq", "movsd", "movhps", "movlps", "movhpd", "movlpd"].contains(bare) { return 8 }
        if bare.hasPrefix("pinsr") || bare.hasPrefix("pextr") || bare.hasPrefix("pbroadcast") { return bare.last.flatMap { letters[$0] } ?? 1 }
        if let register = operands.compactMap({ Register($0) }).last { return bare.hasSuffix("i128") || bare.hasSuffix("f128") ? 16 : register.bytes }
        return name.last.flatMap { letters[$0] } ?? 1
    }
}
