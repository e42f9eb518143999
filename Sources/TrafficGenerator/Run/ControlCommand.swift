/// A line of the control protocol, which has one command on each line: `rate FLOW[,FLOW...] RATE`, `stats` or `quit`. A flow's name may end in `*`.
public enum ControlCommand: Equatable, Sendable {
    case rate(flows: [String], Rate)
    case stats
    case quit

    public init(line: String) throws(ScenarioError) {
        let words = line.split(separator: " ", omittingEmptySubsequences: true).map(String.init)
        switch words.first {
        case "rate":
            guard words.count == 3 else { throw ScenarioError("`rate` takes flows and a rate: rate vm1,vm2 500mbit") }
            guard let rate = Rate(words[2]) else { throw ScenarioError("`\(words[2])` is no rate; write \(Rate.accepted)") }
            self = .rate(flows: words[1].split(separator: ",").map(String.init), rate)
        case "stats" where words.count == 1: self = .stats
        case "quit" where words.count == 1: self = .quit
        default: throw ScenarioError("`\(line)` is no command; the commands are rate FLOWS RATE, stats, quit")
        }
    }
}
