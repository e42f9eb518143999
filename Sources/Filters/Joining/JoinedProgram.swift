/// Programs of classic BPF as one program of extended BPF, which tells which of them is the first that matches a frame.
///
/// It is run with the address of a frame in R1 and its length in R2, and returns the number of a program, or as many as there are: none matches. What several of them look
/// for is looked for once. A load beyond the end of a frame ends only the program that wants it, without a match.
public struct JoinedProgram: Sendable {
    /// As rte_bpf.h lays them out (struct ebpf_insn).
    public let instructions: [UInt64]
    /// How many bytes of a frame it may look at. They have to lie one behind the other, those of them that the frame has.
    public let reach: Int
    /// It looks at the Ethernet addresses.
    public let readsAddresses: Bool

    /// librte_bpf takes every way through a program when it checks it, at about 0.2 µs a step.
    static let mostSteps = 16_384
    static let mostNodes = 4_096

    /// - Parameter programs: which are all shown frames in the same way.
    /// - Returns: nil: they can only be run one by one, or are too many.
    public init?(_ programs: [PacketProgram]) {
        do {
            var values = FrameValues(), questions = Questions()
            let rules = try programs.map { try RuleGraph($0, &values, &questions, mostSteps: 4 * $0.instructions.count + 64) }
            guard !rules.isEmpty, questions.all.count <= Self.mostNodes else { return nil }
            let graph = try DecisionGraph(rules, questions, values, first: Self.commonLength(questions, values), most: 2 * Self.mostNodes)
            guard graph.nodes.count <= Self.mostNodes, graph.stepsOfAllWays <= Self.mostSteps, graph.staysInFrame(questions, values) else { return nil }
            instructions = try GraphCode(graph, questions, values).instructions
            let loads = questions.all.flatMap { values.loads(of: $0.value) }
            reach = loads.map { Int(min(values.most[$0.index], RuleGraph.farthest)) + Int($0.end) }.max() ?? 0
            readsAddresses = questions.all.contains { values.readsAddresses($0.value) }
        } catch {
            return nil
        }
    }

    /// A length to be asked about first: what no frame from a NIC is shorter than, as far as rules care. Behind it nothing shorter is asked about.
    private static func commonLength(_ questions: Questions, _ values: FrameValues) -> QuestionID? {
        let lengths = questions.all.indices.filter { questions[$0].value == FrameValues.length && questions[$0].relation == .atLeast && questions[$0].constant <= shortest }
        return lengths.count > 1 ? lengths.max { questions[$0].constant < questions[$1].constant } : nil
    }

    /// Bytes of the shortest Ethernet frame without its FCS.
    private static let shortest: UInt32 = 60
}

extension JoinedProgram {
    /// Programs that follow one another, and one for all of them; nil: they are run one by one.
    public struct Run: Sendable {
        public let programs: Range<Int>
        public let joined: JoinedProgram?
    }

    /// As few runs as possible, and those as long as possible. A program that cannot be joined with any is a run of its own.
    public static func runs(of programs: [PacketProgram]) -> [Run] {
        var runs: [Run] = [], begin = 0
        while begin < programs.count {
            var most = begin + 1
            while most < programs.count, programs[most].seesTags == programs[begin].seesTags { most += 1 }
            // All, or by halves what can be joined.
            var end = most, joined = JoinedProgram(Array(programs[begin..<end]))
            var least = begin + 1
            if joined == nil {
                joined = JoinedProgram([programs[begin]])
                var tooMany = most
                while joined != nil, tooMany - least > 1 {
                    let middle = (least + tooMany) / 2
                    if let longer = JoinedProgram(Array(programs[begin..<middle])) { (joined, least) = (longer, middle) } else { tooMany = middle }
                }
                end = least
            }
            runs.append(Run(programs: begin..<end, joined: joined))
            begin = end
        }
        return runs
    }
}

extension FrameValues {
    fileprivate func readsAddresses(_ value: ValueID) -> Bool {
        switch self[value] {
        case .constant, .length: false
        case .rest(let index): readsAddresses(index)
        // An index points forwards.
        case .load(_, let index, let offset): offset < 12 || readsAddresses(index)
        case .operation(_, let left, let right): readsAddresses(left) || readsAddresses(right)
        case .negated(let value): readsAddresses(value)
        }
    }
}
