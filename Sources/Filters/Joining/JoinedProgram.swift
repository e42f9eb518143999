/// Several classic BPF programs compiled into one native function, which finds the first of them that matches a frame.
///
/// In C the function is `uint64_t function(const uint8_t *frame, uint64_t length)`. It returns the number of the matching program, counted from 0, or the
/// number of programs if none matches. Conditions that several programs share are checked once. A program that would load bytes beyond the end of the frame
/// does not match; the programs after it are still tried.
public struct JoinedProgram: Sendable {
    /// The machine code. It is position-independent.
    public let code: [UInt8]
    /// The code reads at most this many bytes from the beginning of a frame. As many of them as the frame has must be contiguous in memory.
    public let reach: Int
    /// Whether the code reads the Ethernet addresses.
    public let readsAddresses: Bool

    /// The largest number of different questions that the programs may ask together, and of nodes that their graph may have.
    private static let most = 4_096

    /// - Parameter programs: the programs in their order. They must agree about `seesTags`.
    /// - Returns: nil if there are no programs or too many, if one of them does what cannot be joined, or if the processor is not an x86-64 one.
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

    /// The question about the frame's length that is asked before all others: the greatest length that some rule asks about and that every frame from a NIC has
    /// (60 bytes at most). If the answer is yes, no question about a shorter length follows. Returns nil if the rules ask about fewer than two such lengths.
    private static func commonLength(_ questions: Questions, _ values: FrameValues) -> QuestionID? {
        let lengths = questions.all.indices.filter {
            questions[$0].value == FrameValues.length && questions[$0].relation == .atLeast && questions[$0].constant <= shortest
        }
        return lengths.count > 1 ? lengths.max { questions[$0].constant < questions[$1].constant } : nil
    }

    /// The length in bytes of the shortest Ethernet frame, without its FCS.
    private static let shortest: UInt32 = 60
}

extension JoinedProgram {
    /// Consecutive programs and the function that they are joined into. If `joined` is nil, the programs are run one by one.
    public struct Run: Sendable {
        public let programs: Range<Int>
        public let joined: JoinedProgram?
    }

    /// Divides programs into runs, which are made as long as possible. A program that cannot be joined with its neighbours becomes a run of its own.
    public static func runs(of programs: [PacketProgram]) -> [Run] {
        var runs: [Run] = [], begin = 0
        // How many programs the next attempt joins at most: twice the length of a run that had to be cut short, because the next run is hardly much longer.
        var trial = programs.count
        while begin < programs.count {
            var end = begin + 1
            while end < programs.count, end - begin < trial, programs[end].seesTags == programs[begin].seesTags { end += 1 }
            var joined = JoinedProgram(Array(programs[begin..<end]))
            if joined == nil {
                // A binary search finds how many programs can be joined.
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
        // An index is never negative, so a load with a large enough offset cannot reach back to the addresses.
        case .load(_, let index, let offset): offset < 12 || readsAddresses(index)
        case .operation(_, let left, let right), .excess(let left, over: let right): readsAddresses(left) || readsAddresses(right)
        case .negated(let value): readsAddresses(value)
        }
    }
}
