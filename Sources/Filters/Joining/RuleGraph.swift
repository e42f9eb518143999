/// A rule's program as a graph of questions. Before each load the graph asks whether the frame has the bytes; if it has not, the rule does not match.
struct RuleGraph {
    enum Node: Hashable {
        case matches, fails
        case asks(QuestionID, yes: Int, no: Int)
    }

    /// All nodes. Each stands after the nodes that it leads to. The first two are `matches` and `fails`.
    private(set) var nodes: [Node] = [.matches, .fails]
    private(set) var root = 0
    private var known: [Node: Int] = [.matches: 0, .fails: 1]

    /// - Parameter mostSteps: the number of steps above which the attempt is given up. A program can reach the same instruction with many different register
    ///   contents, each of which takes steps of its own.
    /// - Throws: `NotJoinable` if the program takes too many steps, or has instructions that cannot be joined.
    init(_ program: PacketProgram, _ values: inout FrameValues, _ questions: inout Questions, mostSteps: Int) throws {
        let code = try program.instructions.map { try ClassicInstruction($0) }
        guard !code.isEmpty else { throw NotJoinable() }
        let live = ClassicInstruction.liveness(of: code)
        var states: [Registers: Int] = [:], steps: [(place: Registers, step: Step)] = []
        var pending: [Registers] = []
        func number(_ target: Target) -> Registers? {
            guard case .state(let registers) = target, states[registers] == nil else { return nil }
            return registers
        }
        let first = Registers()
        pending.append(first)
        states[first] = 0
        while let state = pending.popLast() {
            guard steps.count < mostSteps else { throw NotJoinable() }
            let step = try Self.step(from: state, code, live, &values, &questions)
            steps.append((state, step))
            for target in step.targets {
                guard let next = number(target) else { continue }
                states[next] = states.count
                pending.append(next)
            }
        }
        // Programs have no loops, so a state leads only to states further on. Beginning with the last state, every target already has its node.
        var node: [Registers: Int] = [:]
        for (state, step) in steps.sorted(by: { ($0.place.pc, $0.place.passed) > ($1.place.pc, $1.place.passed) }) {
            func place(_ target: Target) -> Int {
                switch target {
                case .end(let matches): matches ? 0 : 1
                case .state(let registers): node[registers]!
                }
            }
            switch step {
            case .goes(let target): node[state] = place(target)
            case .asks(let question, let yes, let no): node[state] = add(question, place(yes), place(no))
            }
        }
        root = node[first]!
    }

    private mutating func add(_ question: QuestionID, _ yes: Int, _ no: Int) -> Int {
        if yes == no { return yes }
        let node = Node.asks(question, yes: yes, no: no)
        if let number = known[node] { return number }
        known[node] = nodes.count
        nodes.append(node)
        return nodes.count - 1
    }

    // MARK: A step

    private enum Target {
        case end(matches: Bool)
        case state(Registers)
    }

    private enum Step {
        case goes(Target)
        case asks(QuestionID, yes: Target, no: Target)

        var targets: [Target] {
            switch self {
            case .goes(let target): [target]
            case .asks(_, let yes, let no): [yes, no]
            }
        }
    }

    /// Runs the program symbolically from a state on, up to the next question, jump or end.
    private static func step(
        from state: Registers, _ code: [ClassicInstruction], _ live: [UInt32], _ values: inout FrameValues, _ questions: inout Questions
    ) throws -> Step {
        var state = state
        /// The state after a jump. Registers and cells that no later instruction reads are cleared, so that more states become equal.
        func jump(_ distance: Int) throws -> Target {
            var next = state
            next.go(to: state.pc + 1 + distance)
            guard code.indices.contains(next.pc) else { throw NotJoinable() }
            next.forget(allBut: live[next.pc])
            return .state(next)
        }
        func ask(_ value: ValueID, _ relation: Question.Relation, _ constant: UInt32, _ yes: Target, _ no: Target) -> Step {
            Self.ask(Question(value: value, relation: relation, constant: constant), yes, no, values, &questions)
        }
        while true {
            guard code.indices.contains(state.pc) else { throw NotJoinable() }
            let instruction = code[state.pc], k = instruction.k
            switch instruction.kind {
            case .load(let bytes, let isIndirect):
                let index = isIndirect ? state.x : FrameValues.zero
                if let step = missing(index, k, bytes, state, &values, &questions) { return step }
                state.a = try values.load(bytes: bytes, index: index, offset: k)
            case .loadHeaderLength:
                if let step = missing(FrameValues.zero, k, 1, state, &values, &questions) { return step }
                let byte = try values.load(bytes: 1, index: FrameValues.zero, offset: k)
                let mask = values.number(15), two = values.number(2)
                let words = try values.operation(ALU.and, byte, mask)
                state.x = try values.operation(ALU.lsh, words, two)
            case .length(let isX): if isX { state.x = FrameValues.length } else { state.a = FrameValues.length }
            case .constant(let isX): if isX { state.x = values.number(k) } else { state.a = values.number(k) }
            case .fetch(let isX): if isX { state.x = state.memory[Int(k)] } else { state.a = state.memory[Int(k)] }
            case .store(let isX): state.memory[Int(k)] = isX ? state.x : state.a
            case .operation(let code, let isX):
                let right = isX ? state.x : values.number(k)
                state.a = try values.operation(code, state.a, right)
            case .negate: state.a = values.id(.negated(state.a))
            case .toX: state.x = state.a
            case .toA: state.a = state.x
            case .jump: return .goes(try jump(Int(k)))
            case .compare(let comparison, let isX):
                let yes = try jump(instruction.yes), no = try jump(instruction.no)
                let right = isX ? state.x : values.number(k)
                guard let constant = values.constant(right) else {
                    switch comparison {
                    // Questions compare with constants only, so two values are compared by asking whether their difference is 0.
                    case .equal:
                        let difference = try values.operation(ALU.sub, state.a, right)
                        return ask(difference, .equal, 0, yes, no)
                    case .greater: return ask(values.id(.excess(state.a, over: right)), .atLeast, 1, yes, no)
                    case .atLeast: return ask(values.id(.excess(right, over: state.a)), .atLeast, 1, no, yes)
                    case .anyBit:
                        let bits = try values.operation(ALU.and, state.a, right)
                        return ask(bits, .equal, 0, no, yes)
                    }
                }
                switch comparison {
                case .equal: return ask(state.a, .equal, constant, yes, no)
                case .greater: return constant == .max ? .goes(no) : ask(state.a, .atLeast, constant + 1, yes, no)
                case .atLeast: return ask(state.a, .atLeast, constant, yes, no)
                case .anyBit:
                    let bits = try values.operation(ALU.and, state.a, right)
                    return ask(bits, .equal, 0, no, yes)
                }
            case .end(let isA):
                if isA {
                    return ask(state.a, .equal, 0, .end(matches: false), .end(matches: true))
                }
                return .goes(.end(matches: k != 0))
            }
            state.go(to: state.pc + 1)
        }
    }

    /// The step that asks a question, or that goes straight on if the value is a constant or its upper bound tells the answer.
    private static func ask(_ question: Question, _ yes: Target, _ no: Target, _ values: FrameValues, _ questions: inout Questions) -> Step {
        if let known = values.constant(question.value) {
            return .goes((question.relation == .equal ? known == question.constant : known >= question.constant) ? yes : no)
        }
        if question.constant > values.most[question.value] { return .goes(no) }
        if question.relation == .atLeast, question.constant == 0 { return .goes(yes) }
        return .asks(questions.id(question), yes: yes, no: no)
    }

    /// The largest index that a load may have. No frame is longer than 65535 bytes, so a rule with a larger index does not match.
    static let farthest: UInt32 = 0xffff

    /// The next question that must be asked before a load; nil if the load is known to be within the frame. There are two: first whether the index exceeds
    /// `farthest`, then whether the frame has the bytes behind the index. `passed` counts those that have been asked.
    private static func missing(
        _ index: ValueID, _ offset: UInt32, _ bytes: Int, _ state: Registers, _ values: inout FrameValues, _ questions: inout Questions
    ) -> Step? {
        if state.passed == 2 { return nil }
        var next = state
        next.passed += 1
        let fails = Target.end(matches: false)
        if state.passed == 0 { return ask(Question(value: index, relation: .atLeast, constant: farthest + 1), fails, .state(next), values, &questions) }
        // With a constant index the question is about the length of the whole frame.
        let fixed = values.constant(index)
        let (end, overflows) = (fixed ?? 0).addingReportingOverflow(offset &+ UInt32(bytes))
        if overflows { return .goes(fails) }
        let rest = values.rest(after: fixed == nil ? index : FrameValues.zero)
        return ask(Question(value: rest, relation: .atLeast, constant: end), .state(next), fails, values, &questions)
    }
}

/// The state of a program before an instruction: its position, and the values in its registers and memory cells.
private struct Registers: Hashable {
    private(set) var pc = 0
    /// If the instruction is a load, how many of the questions that come before it have been asked.
    var passed = 0
    var a = FrameValues.zero, x = FrameValues.zero
    var memory = [ValueID](repeating: FrameValues.zero, count: 16)

    mutating func go(to pc: Int) {
        self.pc = pc
        passed = 0
    }

    mutating func forget(allBut live: UInt32) {
        if live & ClassicInstruction.a == 0 { a = FrameValues.zero }
        if live & ClassicInstruction.x == 0 { x = FrameValues.zero }
        for place in memory.indices where live & ClassicInstruction.memory(place) == 0 { memory[place] = FrameValues.zero }
    }
}
