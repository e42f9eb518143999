extension Plan {
    /// The plan in lines, one for each change, as `sluice diff` prints them: `+` adds, `-` removes, `~` changes, and `!` marks what the operator should know.
    ///
    /// - Parameters:
    ///   - old, new: the models that the plan leads between; a line about a change tells what differs between them.
    ///   - adopted: ports whose interface already has the name that the port is to use from now on.
    public func lines(from old: Model, to new: Model, adopted: Set<String> = []) -> [String] {
        let fields = Fields.all
        func port(_ model: Model, _ name: String) -> PortSettings? { model.ports.first { $0.name == name } }
        func effects(_ old: PortSettings, _ settings: PortSettings) -> String {
            old.sideEffects(of: settings, bufferSize: new.daemon.bufferSize, adopts: adopted.contains(old.name)).map { " (\($0))" } ?? ""
        }
        var replaced: Set<String> = []
        let lines = actions.flatMap { action -> [String] in
            switch action {
            case .removeStaticEntry(let bridge, let entry): return ["- fdb \(entry.words) bridge \(bridge)"]
            case .addStaticEntry(let bridge, let entry): return ["+ fdb \(entry.words) bridge \(bridge)"]
            case .removeGuest(let name): return ["- guest \(name)"]
            case .removeGroup(let name): return ["- group \(name)"]
            case .removeBridge(let name): return ["- bridge \(name)"]
            case .removePort(let name):
                // A removal that is followed by an addition of the same port is printed as one change.
                if port(new, name) != nil { replaced.insert(name); return [] }
                return ["- port \(name)"]
            case .addPort(let settings):
                if replaced.contains(settings.name), let before = port(old, settings.name) {
                    let words = changes(PortDraft(before), PortDraft(settings), fields.port)
                    return ["~ port \(settings.name) \(words)\(effects(before, settings))"]
                }
                return ["+ port \(words(PortDraft(settings), fields.port))"]
            case .changePort(let settings):
                guard let before = port(old, settings.name) else { return [] }
                return ["~ port \(settings.name) \(changes(PortDraft(before), PortDraft(settings), fields.port))\(effects(before, settings))"]
            case .addBridge(let settings): return ["+ bridge \(words(settings, fields.bridge))"]
            case .changeBridge(let settings):
                guard let before = old.bridges.first(where: { $0.name == settings.name }) else { return [] }
                return ["~ bridge \(settings.name) \(changes(before.withoutEntries, settings, fields.bridge))"]
            case .addGroup(let settings): return ["+ group \(words(settings, fields.group))"]
            case .changeGroup(let settings):
                guard let before = old.groups.first(where: { $0.name == settings.name }) else { return [] }
                return ["~ group \(settings.name) \(changes(before, settings, fields.group))"]
            case .addGuest(let settings): return ["+ guest \(words(settings, fields.guest))"]
            case .changeGuest(let settings):
                guard let before = old.guests.first(where: { $0.name == settings.name }) else { return [] }
                return ["~ guest \(settings.name) \(changes(before, settings, fields.guest))"]
            case .addFilter(let settings): return ["+ filter \(words(settings, fields.filter))"]
            case .changeFilter(let settings):
                guard let before = old.filters.first(where: { $0.name == settings.name }) else { return [] }
                return ["~ filter \(settings.name) \(changes(before, settings, fields.filter))"]
            case .removeFilter(let name): return ["- filter \(name)"]
            case .addMirror(let settings): return ["+ mirror \(words(MirrorDraft(settings), fields.mirror))"]
            case .changeMirror(let settings):
                guard let before = old.mirrors.first(where: { $0.name == settings.name }) else { return [] }
                return ["~ mirror \(settings.name) \(changes(MirrorDraft(before), MirrorDraft(settings), fields.mirror))"]
            case .removeMirror(let name): return ["- mirror \(name)"]
            case .setProtocols: return protocolLines(from: old, to: new, fields)
            case .setPolling(let settings): return ["~ daemon \(changes(old.daemon, settings, fields.daemon))"]
            case .setDaemon(let settings):
                return ["! daemon \(changes(old.daemon, settings, fields.daemon)) (takes a restart of sluiced)"]
            }
        }
        let left = trees.filter { $0.kind != .removed && ($0.added + $0.changed).contains { $0.isRest && $0.settings.floor == 0 } }
        return lines + left.map { Self.notice(ofRestIn: $0.name) }
    }

    /// The notice that a tree's floors leave nothing to the class `rest`.
    static func notice(ofRestIn tree: String) -> String {
        "! class rest of \(tree) (floors take the whole rate: classes without a floor have only what others do not use)"
    }

    private func protocolLines(from old: Model, to new: Model, _ fields: Fields) -> [String] {
        func line(_ sign: String, _ row: ProtocolSettings) -> String {
            "\(sign) protocol \(words(ProtocolDraft(row), fields.protocolRow))"
        }
        let before = old.protocolTable, after = new.protocolTable
        let removed = before.filter { row in !after.contains { $0.name == row.name } }.map { line("-", $0) }
        return removed
            + after.compactMap { row in
                guard let was = before.first(where: { $0.name == row.name }) else { return line("+", row) }
                if was == row { return nil }
                return "~ protocol \(row.name) \(changes(ProtocolDraft(was), ProtocolDraft(row), fields.protocolRow))"
            }
    }

    /// An object in the words that would add it, such as `vm1 type vhost bridge br0`.
    private func words<Object>(_ object: Object, _ fields: [Field<Object>]) -> String {
        fields.compactMap { field in
            field.write(object).map { field.key == "name" ? $0.words : "\(field.key) \($0.words)" }
        }.joined(separator: " ")
    }

    /// The keys that differ, with both values, such as `mtu 1500 -> 9000`.
    fileprivate func changes<Object>(_ old: Object, _ new: Object, _ fields: [Field<Object>]) -> String {
        fields.compactMap { field in
            let before = field.write(old), after = field.write(new)
            if before == after { return nil }
            return "\(field.key) \(before?.words ?? "default") -> \(after?.words ?? "default")"
        }.joined(separator: ", ")
    }
}

extension StaticEntry {
    /// The entry in words, such as `52:54:00:12:34:56 port vm1 vlan 10`.
    fileprivate var words: String { "\(mac) port \(port)\(vlan.map { " vlan \($0)" } ?? "")" }
}

extension DaemonSettings {
    /// What differs from the running daemon's settings and cannot change at run time, such as `buffers 65536 -> 1024, cpus 1 -> 2`. Empty: nothing does.
    public func fixed(from running: DaemonSettings) -> String {
        Plan().changes(running.changingInPlace(to: self), self, Fields.all.daemon)
    }
}

extension Document {
    /// The document on one line: plain values as they are, maps in braces.
    var words: String {
        switch self {
        case .text(let text): text
        case .number(let value): String(value)
        case .flag(let value): value ? "on" : "off"
        case .list(let items): items.isEmpty ? "none" : items.map(\.words).joined(separator: ",")
        case .map(let entries): "{" + entries.map { "\($0.key) \($0.value.words)" }.joined(separator: " ") + "}"
        }
    }
}
