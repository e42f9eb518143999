import Configuration
import DPDKShim

/// The programs of a model's filters.
struct FilterPrograms {
    /// By the filter's name.
    var named: [String: FilterProgram] = [:]
    /// By the port's name: of its addresses, and its guards.
    var addresses: [String: FilterProgram] = [:]
    var guards: [String: FilterProgram] = [:]
    /// By the mirror's name: of the frames that it copies.
    var mirrors: [String: FilterProgram] = [:]

    var all: [FilterProgram] { Array(named.values) + Array(addresses.values) + Array(guards.values) + Array(mirrors.values) }
}

extension DataPlane {
    /// Makes the programs of a model and has all that is published from now on use them. Filters that the model does not have any more stay for the ports that still
    /// name them, until `settleFilters`: no port is without its filter for a moment.
    /// - Returns: the programs before, which still are to be let go of (`settleFilters`) or used again (`restoreFilters`).
    /// - Throws: what DPDK does not take, with nothing changed.
    func adoptFilters(_ new: Model) throws(DataPlaneError) -> FilterPrograms {
        let old = filters
        var next = FilterPrograms(), made: [FilterProgram] = []
        func program(_ rules: [FilterRule], _ standard: FilterAction, _ before: FilterProgram?, _ name: String) throws(DataPlaneError) -> FilterProgram {
            if let before, before.rules == rules, before.standard == standard { return before }
            let program = try FilterProgram(rules, standard, of: name, lcores: runtime.lcores.count)
            made.append(program)
            return program
        }
        do {
            for filter in new.filters {
                next.named[filter.name] = try program(filter.rules, filter.standard, old.named[filter.name], "filter \(filter.name)")
            }
            for port in new.ports {
                if case let rules = port.addressRules, !rules.isEmpty {
                    next.addresses[port.name] = try program(rules, .deny, old.addresses[port.name], "port \(port.name) addresses")
                }
                if case let rules = port.guardRules, !rules.isEmpty {
                    next.guards[port.name] = try program(rules, .allow, old.guards[port.name], "port \(port.name) guards")
                }
            }
            for mirror in new.mirrors {
                guard let expression = mirror.filter else { continue }
                next.mirrors[mirror.name] = try program([FilterRule(.allow, expression)], .deny, old.mirrors[mirror.name], "mirror \(mirror.name)")
            }
        } catch {
            for program in made { program.destroy() }
            throw error
        }
        next.named.merge(old.named) { new, _ in new }
        next.mirrors.merge(old.mirrors) { new, _ in new }
        filters = next
        return old
    }

    /// The change is made: what it does not need is freed when no loop runs it.
    func settleFilters(_ model: Model, before old: FilterPrograms) {
        let names = Set(model.filters.map(\.name))
        filters.named = filters.named.filter { names.contains($0.key) }
        let filtered = Set(model.mirrors.lazy.filter { $0.filter != nil }.map(\.name))
        filters.mirrors = filters.mirrors.filter { filtered.contains($0.key) }
        let used = Set(filters.all.map(ObjectIdentifier.init))
        func retire(_ old: [String: FilterProgram], for new: [String: FilterProgram]) {
            for (name, program) in old where !used.contains(ObjectIdentifier(program)) { retiredFilters.append((program, new[name])) }
        }
        retire(old.named, for: filters.named)
        retire(old.addresses, for: filters.addresses)
        retire(old.guards, for: filters.guards)
        retire(old.mirrors, for: filters.mirrors)
    }

    /// The change is not made.
    func restoreFilters(_ old: FilterPrograms) {
        let used = Set(old.all.map(ObjectIdentifier.init))
        for program in filters.all where !used.contains(ObjectIdentifier(program)) { retiredFilters.append((program, nil)) }
        filters = old
    }

    /// What is to be asked of what leaves by a port; nil: nothing.
    func inboundFilters(of port: PortSettings, _ lcore: Int) -> UnsafeMutablePointer<FilterView>? {
        Self.chain([port.filter.inbound.flatMap { filters.named[$0]?.view(lcore: lcore, reason: .outputFiltered) }])
    }

    /// What is to be asked of what comes in by a port; nil: nothing.
    func outboundFilters(of port: PortSettings, _ lcore: Int) -> UnsafeMutablePointer<FilterView>? {
        Self.chain([
            filters.addresses[port.name]?.view(lcore: lcore, reason: .spoofedAddress), filters.guards[port.name]?.view(lcore: lcore, reason: .guarded),
            port.filter.outbound.flatMap { filters.named[$0]?.view(lcore: lcore, reason: .filtered) },
        ])
    }

    private static func chain(_ all: [FilterView?]) -> UnsafeMutablePointer<FilterView>? {
        var views = all.compactMap { $0 }
        guard !views.isEmpty else { return nil }
        views[views.count - 1].isLast = true
        let chain = UnsafeMutablePointer<FilterView>.allocate(capacity: views.count)
        chain.initialize(from: views, count: views.count)
        return chain
    }

    /// Frames that each rule of a filter decided about, those of its default last.
    public func filterHits(_ name: String) -> [UInt64] { filters.named[name]?.counts ?? [] }
}
