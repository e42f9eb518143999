/// One instruction of classic BPF (`struct bpf_insn`), as libpcap compiles it. In all cases `isX` says that the instruction works with register X: a load or
/// store on X instead of A, an operation or comparison with X instead of the constant `k`.
struct ClassicInstruction {
    enum Comparison { case equal, greater, atLeast, anyBit }

    enum Kind {
        case load(bytes: Int, isIndirect: Bool)
        /// Loads the length of an IPv4 header into X: 4 * (byte at `k` & 15).
        case loadHeaderLength
        case length(isX: Bool), constant(isX: Bool), fetch(isX: Bool), store(isX: Bool)
        /// Combines A with `k` or X. The operation is one of `ALU`.
        case operation(UInt8, isX: Bool), negate
        case toX, toA
        case jump, compare(Comparison, isX: Bool)
        /// Ends the program. It matches if `k` is not 0, or with `isA` if A is not 0.
        case end(isA: Bool)
    }

    let kind: Kind
    let k: UInt32
    /// How many instructions a comparison skips if it holds (`yes`) and if it does not (`no`).
    let yes: Int, no: Int

    /// Decodes an instruction from the 8 bytes of its `struct bpf_insn`, read as a little-endian number.
    ///
    /// - Throws: `NotJoinable` if the instruction is none of these kinds.
    init(_ word: UInt64) throws {
        let code = UInt8(truncatingIfNeeded: word)
        k = UInt32(truncatingIfNeeded: word >> 32)
        yes = Int(UInt8(truncatingIfNeeded: word >> 16))
        no = Int(UInt8(truncatingIfNeeded: word >> 24))
        guard word >> 8 & 0xff == 0, let kind = Self.kind(code, k) else { throw NotJoinable() }
        self.kind = kind
    }

    private static func kind(_ code: UInt8, _ k: UInt32) -> Kind? {
        let isX = code & 0x08 != 0
        switch code & 0x07 {
        case 0 where code >> 5 == 1 || code >> 5 == 2:
            let sizes = [0x00: 4, 0x08: 2, 0x10: 1]
            return sizes[Int(code & 0x18)].map { .load(bytes: $0, isIndirect: code >> 5 == 2) }
        case 0, 1:
            let isX = code & 0x07 == 1
            switch code & 0xf8 {
            case 0x00: return .constant(isX: isX)
            case 0x60: return k < 16 ? .fetch(isX: isX) : nil
            case 0x80: return .length(isX: isX)
            case 0xb0: return isX ? .loadHeaderLength : nil
            default: return nil
            }
        case 2, 3: return code & 0xf8 == 0 && k < 16 ? .store(isX: code & 0x07 == 3) : nil
        case 4: return code & 0xf0 == 0x80 ? .negate : .operation(code & 0xf0, isX: isX)
        case 5:
            switch code & 0xf0 {
            case 0x00: return k < 65_536 ? .jump : nil
            case 0x10: return .compare(.equal, isX: isX)
            case 0x20: return .compare(.greater, isX: isX)
            case 0x30: return .compare(.atLeast, isX: isX)
            case 0x40: return .compare(.anyBit, isX: isX)
            default: return nil
            }
        case 6: return code == 0x06 ? .end(isA: false) : code == 0x16 ? .end(isA: true) : nil
        default: return code == 0x07 ? .toX : code == 0x87 ? .toA : nil
        }
    }

    // MARK: Liveness

    static let a: UInt32 = 1 << 16, x: UInt32 = 1 << 17
    static func memory(_ place: Int) -> UInt32 { 1 << UInt32(place) }

    /// For each instruction, which of A, X and the 16 memory cells hold a value that this instruction or a later one may still read. The bits are those of
    /// `a`, `x` and `memory`. Jumps only go forwards, so one pass from the last instruction to the first finds all of them.
    static func liveness(of code: [ClassicInstruction]) -> [UInt32] {
        var live = [UInt32](repeating: 0, count: code.count)
        for place in code.indices.reversed() {
            func after(_ distance: Int) -> UInt32 { code.indices.contains(place + 1 + distance) ? live[place + 1 + distance] : 0 }
            let instruction = code[place]
            let cell = memory(Int(instruction.k & 15))
            live[place] =
                switch instruction.kind {
                case .load(_, let isIndirect): after(0) & ~a | (isIndirect ? x : 0)
                case .loadHeaderLength: after(0) & ~x
                case .length(let isX), .constant(let isX): after(0) & ~(isX ? x : a)
                case .fetch(let isX): after(0) & ~(isX ? x : a) | cell
                case .store(let isX): after(0) & ~cell | (isX ? x : a)
                case .operation(_, let isX): after(0) | a | (isX ? x : 0)
                case .negate: after(0) | a
                case .toX: after(0) & ~x | a
                case .toA: after(0) & ~a | x
                case .jump: after(Int(instruction.k))
                case .compare(_, let isX): after(instruction.yes) | after(instruction.no) | a | (isX ? x : 0)
                case .end(let isA): isA ? a : 0
                }
        }
        return live
    }
}
