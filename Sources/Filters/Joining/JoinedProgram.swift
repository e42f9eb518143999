/// Programs of classic BPF as one function of native code, which tells which of them is the first that matches a frame.
///
/// In C: `uint64_t function(const uint8_t *frame, uint64_t length)`. It returns the number of a program, or as many as there are: none matches. What
/// several of them look for is looked for once. A load beyond the end of a frame ends only the program that wants it, without a match.
public struct JoinedProgram: Sendable {
    /// To be run wherever it lies.
    public let code: [UInt8]
    /// How many bytes of a frame it may look at. They have to lie one behind the other, those of them that the frame has.
    public let reach: Int
    /// It looks at the Ethernet addresses.
    public let readsAddresses: Bool

    /// Questions, of all programs.
    private static let most = 4_096

    /// - Parameter programs: which are all shown frames in the same way.
    /// - Returns: nil: they can only be run one by one, or are too many, or the processor is not one that code is made for.
    public init?(_ programs: [PacketProgram]) {
        #if !arch(x86_64)
            return nil
        #else
            do {
                var values = FrameValues(), questions = Questions()
                let rules = try programs.map { try RuleGraph($0, &values, &questions, mostSteps: 4 * $0.instructions.count + 64) }
                guard !rules.isEmpty, questions.all.count <= Self.most else { return nil }
                let graph = try DecisionGraph(rules, questions, values, first: Self.commonLength(questions, values), most: 2 * Self.most)
                guard graph.nodes.count <= Self.most, graph.staysInFrame(questions, values) else { return nil }
                code = try GraphCode(graph, questions, values).bytes
                let loads = questions.all.flatMap { values.loads(of: $0.value) }
                reach = loads.map { Int(min(values.most[$0.index], RuleGraph.farthest)) + Int($0.end) }.max() ?? 0
                readsAddresses = questions.all.contains { values.readsAddresses($0.value) }
            } catch {
                return nil
            }
        #endif
    }

    /// A length to be asked about first: what no frame from a NIC is shorter than, as far as rules care. Behind it nothing shorter is asked about.
    private static func commonLength(_ questions: Questions, _ values: FrameValues) -> QuestionID? {
        let lengths = questions.all.indices.filter {
            questions[$0].value == FrameValues.length && questions[$0].relation == .atLeast && questions[$0].constant <= shortest
        }
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

    /// Few runs, and long ones. A program that cannot be joined with any is a run of its own.
    public static func runs(of programs: [PacketProgram]) -> [Run] {
        var runs: [Run] = [], begin = 0
        // How many are tried at once: where few could be joined, hardly many more can be behind them.
        var trial = programs.count
        while begin < programs.count {
            var end = begin + 1
            while end < programs.count, end - begin < trial, programs[end].seesTags == programs[begin].seesTags { end += 1 }
            var joined = JoinedProgram(Array(programs[begin..<end]))
            if joined == nil {
                // By halves what can be joined.
                var tooMany = end
                end = begin + 1
                joined = JoinedProgram([programs[begin]])
                while joined != nil, tooMany - end > 1 {
                    let middle = (end + tooMany) / 2
                    if let longer = JoinedProgram(Array(programs[begin..<middle])) { (joined, end) = (longer, middle) } else { tooMany = middle }
                }
                trial = 2 * (end - begin)
            } else {
                trial = max(trial, 2 * (end - begin))
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
        case .operation(_, let left, let right), .excess(let left, over: let right): readsAddresses(left) || readsAddresses(right)
        case .negated(let value): readsAddresses(value)
        }
    }
}
