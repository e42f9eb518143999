/// A decision graph as a program of extended BPF. It has one end and jumps forwards only, and tests bits with no constants of one byte: what DPDK 22.11's compiler for x86
/// gets wrong is not in it.
struct GraphCode {
    private(set) var instructions: [UInt64] = []

    private let graph: DecisionGraph
    private let questions: Questions
    private let values: FrameValues
    /// Registers of values that are used more than once.
    private var homes: [Operand: Register] = [:]
    /// By place in the code: the node that a jump there leads to.
    private var jumps: [(place: Int, node: Int)] = []
    /// By node: where it begins.
    private var places: [Int?]

    typealias Register = UInt8

    private static let data: Register = 1, length: Register = 2
    private static let scratch: [Register] = [0, 5]
    private static let freeHomes: [Register] = [3, 4]
    /// Which a program has to save and to restore.
    private static let savedHomes: [Register] = [6, 7, 8, 9]

    /// - Parameter graph: of questions that `questions` and `values` have.
    /// - Throws: NotJoinable: something is too large for an instruction, or takes too many registers.
    init(_ graph: DecisionGraph, _ questions: Questions, _ values: FrameValues) throws {
        self.graph = graph
        self.questions = questions
        self.values = values
        places = Array(repeating: nil, count: graph.nodes.count)
        let order = order()
        homes = homes(of: order)
        var ready = [Set<Register>?](repeating: nil, count: graph.nodes.count)
        ready[graph.root] = []
        for (position, number) in order.enumerated() {
            places[number] = instructions.count
            let next = position + 1 < order.count ? order[position + 1] : nil
            switch graph.nodes[number] {
            case .rule(let rule):
                emit(Code.move, 0, constant: UInt32(rule))
                // To the end, which is behind the last.
                if next != nil { jump(Code.always, to: graph.nodes.count) }
            case .asks(let question, let yes, let no):
                var known = ready[number] ?? []
                try ask(questions[question], yes, no, next, &known)
                for target in [yes, no] { ready[target] = ready[target].map { $0.intersection(known) } ?? known }
            }
        }
        let end = instructions.count
        instructions.append(UInt64(Code.exit))
        for jump in jumps {
            let target = jump.node == graph.nodes.count ? end : places[jump.node]!
            let distance = target - jump.place - 1
            guard 0...Int(Int16.max) ~= distance else { throw NotJoinable() }
            instructions[jump.place] |= UInt64(distance) << 16
        }
    }

    // MARK: Order

    /// Each ahead of those that it leads to, and if possible just ahead of the one that it mostly leads to; at the end the rules, and last that none matches.
    private func order() -> [Int] {
        var order: [Int] = [], rules: [Int] = []
        var isKnown = [Bool](repeating: false, count: graph.nodes.count)
        var stack: [(number: Int, isDone: Bool)] = [(graph.root, false)]
        while let (number, isDone) = stack.popLast() {
            if isDone {
                order.append(number)
                continue
            }
            if isKnown[number] { continue }
            isKnown[number] = true
            guard case .asks(let question, let yes, let no) = graph.nodes[number] else {
                rules.append(number)
                continue
            }
            stack.append((number, true))
            let isLikely = isLikely(questions[question])
            // Who is finished last comes next.
            stack.append((isLikely ? yes : no, false))
            stack.append((isLikely ? no : yes, false))
        }
        func rule(_ number: Int) -> Int { if case .rule(let rule) = graph.nodes[number] { rule } else { 0 } }
        return order.reversed() + rules.sorted { rule($0) < rule($1) }
    }

    /// Most frames are long enough, of IPv4 and no later fragments, and are not what a rule looks for.
    private func isLikely(_ question: Question) -> Bool {
        if question.relation == .atLeast {
            switch values[question.value] {
            case .length, .rest: return true
            default: return false
            }
        }
        if case .load(2, FrameValues.zero, 12) = values[question.value] { return question.constant == 0x0800 }
        return question.constant == 0 && values.masked(question.value).mask != .max
    }

    // MARK: Registers

    /// What is loaded or computed.
    private struct Operand: Hashable {
        var value: ValueID
        /// A load in the order in which its bytes are in a frame, as this processor reads them.
        var isSwapped = false
    }

    private func homes(of order: [Int]) -> [Operand: Register] {
        // How often a frame is likely to come by.
        var share = [Double](repeating: 0, count: graph.nodes.count)
        share[graph.root] = 1
        var uses: [Operand: Double] = [:]
        func use(_ operand: Operand, _ share: Double) {
            switch values[operand.value] {
            case .constant, .length: return
            case .rest(let index): use(Operand(value: index), share)
            case .load(_, let index, _): use(Operand(value: index), share)
            case .operation(_, let left, let right):
                use(Operand(value: left), share)
                use(Operand(value: right), share)
            case .negated(let value): use(Operand(value: value), share)
            }
            uses[operand, default: 0] += share
        }
        for number in order {
            guard case .asks(let id, let yes, let no) = graph.nodes[number] else { continue }
            let question = questions[id]
            use(shape(question).operand, share[number])
            let likely = isLikely(question)
            share[likely ? yes : no] += share[number] * 7 / 8
            share[likely ? no : yes] += share[number] / 8
        }
        let gains = uses.map { operand, uses in (operand, gain: Double(cost(operand)) * (uses - 1)) }.filter { $0.gain > 0 }
            .sorted { ($0.gain, $1.0.value, $1.0.isSwapped ? 0 : 1) > ($1.gain, $0.0.value, $0.0.isSwapped ? 0 : 1) }
        var homes: [Operand: Register] = [:]
        var free = Self.freeHomes[...], saved = Self.savedHomes[...]
        for (operand, gain) in gains {
            if let register = free.popFirst() { homes[operand] = register } else if gain > 3, let register = saved.popFirst() { homes[operand] = register }
        }
        return homes
    }

    /// Instructions to get a value.
    private func cost(_ operand: Operand) -> Int {
        switch values[operand.value] {
        case .constant: 1
        case .length: 0
        case .rest(let index): 2 + cost(Operand(value: index))
        case .load(let bytes, let index, _):
            1 + (operand.isSwapped ? 0 : bytes / 2) + (index == FrameValues.zero ? 0 : 2 + cost(Operand(value: index)))
        case .operation(_, let left, let right): 1 + cost(Operand(value: left)) + (values.constant(right) == nil ? cost(Operand(value: right)) : 0)
        case .negated(let value): 1 + cost(Operand(value: value))
        }
    }

    // MARK: Questions

    /// A question about bytes as they are in the frame, where it can be asked so: nothing has to be swapped for a frame.
    private func shape(_ question: Question) -> (operand: Operand, mask: UInt32?, constant: UInt32) {
        let (base, mask) = values.masked(question.value)
        guard question.relation == .equal, case .load(let bytes, _, _) = values[base], bytes > 1 else {
            return mask == .max || question.relation != .equal ? (Operand(value: question.value), nil, question.constant) : (Operand(value: base), mask, question.constant)
        }
        func swapped(_ value: UInt32) -> UInt32 { bytes == 2 ? UInt32(UInt16(truncatingIfNeeded: value).byteSwapped) : value.byteSwapped }
        return (Operand(value: base, isSwapped: true), base == question.value ? nil : swapped(mask), swapped(question.constant))
    }

    private mutating func ask(_ question: Question, _ yes: Int, _ no: Int, _ next: Int?, _ known: inout Set<Register>) throws {
        var (operand, mask, constant) = shape(question)
        var register = try place(operand, Self.scratch[...], &known)
        let comparison: (yes: UInt8, no: UInt8)
        if question.relation == .equal {
            // A processor's test of bits says whether one is there.
            if let bits = mask, constant == 0, no != next || yes == next, 0x80...0x7fff_ffff ~= bits {
                emit(Code.jumpIfAnyBit, register, constant: bits, to: no)
                if yes != next { jump(Code.always, to: yes) }
                return
            }
            if let bits = mask {
                if register != 0 { emit(Code.moveRegister, 0, register) }
                register = 0
                emit(Code.alu | ALU.and, 0, constant: bits)
                mask = nil
            }
            comparison = (Code.jumpIfEqual, Code.jumpIfNotEqual)
        } else if case .rest = values[question.value] {
            comparison = (Code.jumpIfSignedAtLeast, Code.jumpIfSignedLess)
        } else {
            comparison = (Code.jumpIfAtLeast, Code.jumpIfLess)
        }
        // Constants are extended by their sign.
        var other: Register?
        if constant > 0x7fff_ffff {
            other = Self.scratch.first { $0 != register }
            emit(Code.move, other!, constant: constant)
            constant = 0
        }
        func compare(_ code: UInt8, _ target: Int) {
            if let other { emit(code | Code.withRegister, register, other, to: target) } else { emit(code, register, constant: constant, to: target) }
        }
        if yes == next {
            compare(comparison.no, no)
        } else {
            compare(comparison.yes, yes)
            if no != next { jump(Code.always, to: no) }
        }
    }

    // MARK: Values

    /// A register that has it: its own, or the first of the scratch registers.
    private mutating func place(_ operand: Operand, _ scratch: ArraySlice<Register>, _ known: inout Set<Register>) throws -> Register {
        if operand.value == FrameValues.length { return Self.length }
        if let home = homes[operand] {
            if !known.contains(home) {
                try compute(operand, into: home, scratch, &known)
                known.insert(home)
            }
            return home
        }
        guard let register = scratch.first else { throw NotJoinable() }
        try compute(operand, into: register, scratch.dropFirst(), &known)
        return register
    }

    /// - Parameter scratch: others than `target`.
    private mutating func compute(_ operand: Operand, into target: Register, _ scratch: ArraySlice<Register>, _ known: inout Set<Register>) throws {
        switch values[operand.value] {
        case .constant(let value): emit(Code.move, target, constant: value)
        case .length: emit(Code.moveRegister, target, Self.length)
        case .rest(let index):
            let index = try place(Operand(value: index), scratch, &known)
            emit(Code.moveWhole, target, Self.length)
            emit(Code.subtractWhole, target, index)
        case .load(let bytes, let index, let offset):
            guard offset <= UInt32(Int16.max) else { throw NotJoinable() }
            var base = Self.data
            if index != FrameValues.zero {
                var place = try place(Operand(value: index), scratch, &known)
                // It has been asked whether it is farther, but DPDK looks for a bound.
                if !isPlain(index) {
                    guard let copy = scratch.first else { throw NotJoinable() }
                    if copy != place { emit(Code.moveWhole, copy, place) }
                    place = copy
                    emit(Code.maskWhole, copy, constant: RuleGraph.farthest)
                }
                emit(Code.moveWhole, target, Self.data)
                emit(Code.addWhole, target, place)
                base = target
            }
            instructions.append(Self.word(Code.load(bytes), target, base, offset: UInt16(offset)))
            if bytes > 1, !operand.isSwapped { emit(Code.toNetworkOrder, target, constant: UInt32(8 * bytes)) }
        case .operation(let code, let left, let right):
            try copy(left, into: target, scratch, &known)
            if let constant = values.constant(right) {
                // What that leaves of 64 bits DPDK 22.11 knows, but not what it leaves of 32.
                emit(code == ALU.and && constant <= 0x7fff_ffff ? Code.maskWhole : Code.alu | code, target, constant: constant)
            } else {
                let right = try place(Operand(value: right), scratch, &known)
                emit(Code.alu | Code.withRegister | code, target, right)
            }
        case .negated(let value):
            try copy(value, into: target, scratch, &known)
            emit(Code.negate, target, 0)
        }
    }

    /// DPDK sees by itself that a place is not far: it is a header's length, or loaded.
    private func isPlain(_ index: ValueID) -> Bool {
        guard values.most[index] <= RuleGraph.farthest else { return false }
        switch values[index] {
        case .load: return true
        case .operation(ALU.and, let value, _), .operation(ALU.lsh, let value, _): return isPlain(value)
        default: return false
        }
    }

    private mutating func copy(_ value: ValueID, into target: Register, _ scratch: ArraySlice<Register>, _ known: inout Set<Register>) throws {
        let register = try place(Operand(value: value), [target] + scratch, &known)
        if register != target { emit(Code.moveRegister, target, register) }
    }

    // MARK: Instructions

    private static func word(_ code: UInt8, _ target: Register, _ source: Register, offset: UInt16 = 0, constant: UInt32 = 0) -> UInt64 {
        UInt64(code) | UInt64(target | source << 4) << 8 | UInt64(offset) << 16 | UInt64(constant) << 32
    }

    private mutating func emit(_ code: UInt8, _ target: Register, constant: UInt32) { instructions.append(Self.word(code, target, 0, constant: constant)) }
    private mutating func emit(_ code: UInt8, _ target: Register, _ source: Register) { instructions.append(Self.word(code, target, source)) }

    private mutating func emit(_ code: UInt8, _ register: Register, constant: UInt32, to node: Int) {
        jumps.append((instructions.count, node))
        emit(code, register, constant: constant)
    }

    private mutating func emit(_ code: UInt8, _ register: Register, _ other: Register, to node: Int) {
        jumps.append((instructions.count, node))
        emit(code, register, other)
    }

    private mutating func jump(_ code: UInt8, to node: Int) {
        jumps.append((instructions.count, node))
        emit(code, 0, constant: 0)
    }

    /// Of extended BPF, as rte_bpf.h and the kernel's linux/bpf.h have them; the first three are of 32 bits.
    private enum Code {
        static let alu: UInt8 = 0x04, move: UInt8 = 0xb4, moveRegister: UInt8 = 0xbc, negate: UInt8 = 0x84, toNetworkOrder: UInt8 = 0xdc
        static let moveWhole: UInt8 = 0xbf, addWhole: UInt8 = 0x0f, subtractWhole: UInt8 = 0x1f, maskWhole: UInt8 = 0x57
        static let withRegister: UInt8 = 0x08
        static let always: UInt8 = 0x05, exit: UInt8 = 0x95
        static let jumpIfEqual: UInt8 = 0x15, jumpIfNotEqual: UInt8 = 0x55, jumpIfAtLeast: UInt8 = 0x35, jumpIfLess: UInt8 = 0xa5, jumpIfAnyBit: UInt8 = 0x45
        static let jumpIfSignedAtLeast: UInt8 = 0x75, jumpIfSignedLess: UInt8 = 0xc5
        static func load(_ bytes: Int) -> UInt8 { bytes == 4 ? 0x61 : bytes == 2 ? 0x69 : 0x71 }
    }
}
