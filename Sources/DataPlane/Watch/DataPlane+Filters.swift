import Configuration
import DPDKShim

/// The compiled programs of all filters that a model needs.
struct FilterPrograms {
    /// The configured filters, by name.
    var named: [String: FilterProgram] = [:]
    /// The filters that are made from a port's settings, by the port's name: `addresses` drops frames from addresses that the port may not use, and `guards`
    /// drops what the port's guards forbid.
    var addresses: [String: FilterProgram] = [:]
    var guards: [String: FilterProgram] = [:]
    /// The filters that choose which frames mirrors copy, by the mirror's name.
    var mirrors: [String: FilterProgram] = [:]

    var all: [FilterProgram] { Array(named.values) + Array(addresses.values) + Array(guards.values) + Array(mirrors.values) }
}

extension DataPlane {
    /// Compiles the programs of a model. All snapshots that are published from now on use them; unchanged filters keep their programs. Filters that the model
    /// has no more stay until `retireFilters` for the ports that still name them, so that no port is without its filter for a moment.
    /// - Returns: the programs so far. The caller must pass them to `retireFilters` or, if the change fails, to `restoreFilters`.
    /// - Throws: a sentence if a program cannot be compiled or DPDK does not run it; nothing has changed then.
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

    /// Ends a change that was made: drops filters that the model does not have, and retires programs that are not used any more. They are freed when no poll
    /// loop runs them.
    func retireFilters(_ model: Model, before old: FilterPrograms) {
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

    /// Takes back a change that failed: uses the old programs again, and retires those that were made for the change.
    func restoreFilters(_ old: FilterPrograms) {
        let used = Set(old.all.map(ObjectIdentifier.init))
        for program in filters.all where !used.contains(ObjectIdentifier(program)) { retiredFilters.append((program, nil)) }
        filters = old
    }

    /// The filters for frames that leave by a port, as this lcore runs them; nil if there are none. The caller owns the memory.
    func inboundFilters(of port: PortSettings, _ lcore: Int) -> UnsafeMutablePointer<FilterView>? {
        Self.chain([port.filter.inbound.flatMap { filters.named[$0]?.view(lcore: lcore, reason: .outputFiltered) }])
    }

    /// The filters for frames that come in by a port, as this lcore runs them; nil if there are none. The caller owns the memory.
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

    /// The number of frames that each rule of a filter decided about, the default last. Empty if there is no such filter.
    public func filterHits(_ name: String) -> [UInt64] { filters.named[name]?.counts ?? [] }
}
