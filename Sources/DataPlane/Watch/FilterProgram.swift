import Configuration
import DPDKShim
import Filters

/// A filter's rules as programs, and what poll loops counted with them. Used by the control thread.
final class FilterProgram {
    let rules: [FilterRule]
    let standard: FilterAction
    private let loaded: UnsafeMutablePointer<sluice_filter_rule>
    /// By lcore.
    private let hits: [UnsafeMutablePointer<UInt64>]
    private let verdicts: [UnsafeMutablePointer<UInt16>]
    /// What the same rules counted before, in programs that are gone; by rule, the default last.
    private var earlier: [UInt64]

    /// - Parameter name: whose it is, for errors.
    init(_ rules: [FilterRule], _ standard: FilterAction, of name: String, lcores: Int) throws(DataPlaneError) {
        self.rules = rules
        self.standard = standard
        loaded = .zeroed(rules.count + 1)
        hits = (0..<lcores).map { _ in .zeroed(rules.count + 1) }
        verdicts = (0..<lcores).map { _ in .zeroed(burstSize) }
        earlier = Array(repeating: 0, count: rules.count + 1)
        loaded[rules.count].allows = standard == .allow
        for (place, rule) in rules.enumerated() {
            do {
                try Self.load(rule, into: loaded + place)
            } catch {
                destroy()
                throw DataPlaneError("\(name): \(error.description)")
            }
        }
    }

    private static func load(_ rule: FilterRule, into loaded: UnsafeMutablePointer<sluice_filter_rule>) throws(DataPlaneError) {
        let program: PacketProgram
        do { program = try PacketExpression.program(of: rule.expression) } catch { throw DataPlaneError(error.description) }
        loaded.pointee.allows = rule.action == .allow
        loaded.pointee.sees_tags = program.seesTags
        let result = sluice_filter_load(loaded, program.instructions, UInt32(program.instructions.count))
        guard result == 0 else {
            throw DataPlaneError(
                "DPDK does not run the expression '\(rule.expression)' (\(DataPlaneError.errorText(result))): write it in another way, or as several rules")
        }
    }

    /// To be run without counting.
    var rulesAlone: UnsafeMutablePointer<sluice_filter_rule> { loaded }

    func view(lcore: Int, reason: DropReason) -> FilterView {
        FilterView(rules: loaded, hits: hits[lcore], verdicts: verdicts[lcore], reason: reason, isLast: false)
    }

    /// Frames that each rule decided about, those of the default last.
    var counts: [UInt64] { earlier.indices.map { place in hits.reduce(earlier[place]) { $0 &+ $1[place] } } }

    /// Takes over what a program in whose place this one is counted with the same rules. No loop runs that any more.
    func inherit(from old: FilterProgram) {
        var left = Dictionary(grouping: zip(old.rules, old.counts), by: \.0).mapValues { $0.map(\.1)[...] }
        for (place, rule) in rules.enumerated() { earlier[place] &+= left[rule]?.popFirst() ?? 0 }
        if standard == old.standard { earlier[rules.count] &+= old.counts[old.rules.count] }
    }

    /// No loop may still run it.
    func destroy() {
        for place in rules.indices { sluice_filter_unload(loaded + place) }
        loaded.free()
        for memory in hits { memory.free() }
        for memory in verdicts { memory.free() }
    }
}
