import Packet

extension Editor {
    mutating func port(_ verb: EditVerb, _ words: [String]) throws(ConfigurationError) {
        let example = "port \(verb.rawValue) vm1" + (verb == .del ? "" : " type vhost bridge br0 socket /run/sluice/vm1.sock")
        let (name, rest) = try name(words, "port", example: example)
        if verb == .del {
            let index = try index(of: name, in: model.ports, \.name, "port")
            try refuseMore(rest)
            let guests = model.guests.filter { $0.port == name }.map { "guest \($0.name)" }
            let entries = model.bridges.flatMap(\.staticEntries).filter { $0.port == name }.map { "fdb \($0.mac)" }
            let mirrors = mirrors { $0.source == .port(name) || $0.target.port == name }
            try refuse(references: guests + entries + mirrors, to: name, "port")
            model.ports.remove(at: index)
            return
        }
        var draft = PortDraft()
        var place: Int?
        if verb == .add {
            try refuse(existing: name, in: model.ports, \.name, "port")
            draft.name = name
        } else {
            let index = try index(of: name, in: model.ports, \.name, "port")
            place = index
            draft = PortDraft(model.ports[index])
            // A port that gets another type does not keep the keys that only the old type has.
            if let position = rest.firstIndex(of: "type"), position + 1 < rest.endIndex, rest[position + 1] != draft.type?.rawValue {
                draft.forgetKind()
            }
        }
        try read(rest, into: &draft, fields.port, "port \(name)", of: "a port")
        // If there is one bridge only, the port is on it without saying so.
        if draft.bridge == nil, model.bridges.count == 1 { draft.bridge = model.bridges[0].name }
        var problems = ProblemList()
        guard let port = draft.port(at: Element(path: "port \(name)", content: .empty), &problems) else {
            throw problems.error()
        }
        if let place { model.ports[place] = port } else { model.ports.append(port) }
    }

    mutating func bridge(_ verb: EditVerb, _ words: [String]) throws(ConfigurationError) {
        let (name, rest) = try name(words, "bridge", example: "bridge \(verb.rawValue) br0")
        let keys = fields.bridge.filter { !$0.about.isInFilesOnly }
        switch verb {
        case .add:
            try refuse(existing: name, in: model.bridges, \.name, "bridge")
            var bridge = BridgeSettings(name: name)
            try read(rest, into: &bridge, keys, "bridge \(name)", of: "a bridge")
            model.bridges.append(bridge)
        case .set:
            let index = try index(of: name, in: model.bridges, \.name, "bridge")
            try read(rest, into: &model.bridges[index], keys, "bridge \(name)", of: "a bridge")
        case .del:
            let index = try index(of: name, in: model.bridges, \.name, "bridge")
            try refuseMore(rest)
            let ports = model.ports.filter { $0.bridge == name }.map { "port \($0.name)" }
            let groups = model.groups.filter { $0.bridge == name }.map { "group \($0.name)" }
            try refuse(references: ports + groups, to: name, "bridge")
            model.bridges.remove(at: index)
        }
    }

    mutating func group(_ verb: EditVerb, _ words: [String]) throws(ConfigurationError) {
        let (name, rest) = try name(words, "group", example: "group \(verb.rawValue) tenant-a")
        switch verb {
        case .add:
            try refuse(existing: name, in: model.groups, \.name, "group")
            var group = GroupSettings(name: name, bridge: model.bridges.count == 1 ? model.bridges[0].name : "")
            try read(rest, into: &group, fields.group, "group \(name)", of: "a group")
            if group.bridge.isEmpty { throw ConfigurationError("group \(name)", "a group needs a bridge, such as br0") }
            model.groups.append(group)
        case .set:
            let index = try index(of: name, in: model.groups, \.name, "group")
            try read(rest, into: &model.groups[index], fields.group, "group \(name)", of: "a group")
        case .del:
            let index = try index(of: name, in: model.groups, \.name, "group")
            try refuseMore(rest)
            let groups = model.groups.filter { $0.parent == name }.map { "group \($0.name)" }
            let guests = model.guests.filter { $0.group == name }.map { "guest \($0.name)" }
            try refuse(references: groups + guests, to: name, "group")
            model.groups.remove(at: index)
        }
    }

    mutating func guest(_ verb: EditVerb, _ words: [String]) throws(ConfigurationError) {
        let example = "guest \(verb.rawValue) vm1" + (verb == .del ? "" : " port vm1 macs 52:54:00:12:34:56")
        let (name, rest) = try name(words, "guest", example: example)
        let keys = fields.guest.filter { !$0.about.isInFilesOnly }
        switch verb {
        case .add:
            try refuse(existing: name, in: model.guests, \.name, "guest")
            // A guest is on the port of the same name unless another port is written.
            var guest = GuestSettings(name: name, port: name)
            try read(rest, into: &guest, keys, "guest \(name)", of: "a guest")
            model.guests.append(guest)
        case .set:
            let index = try index(of: name, in: model.guests, \.name, "guest")
            try read(rest, into: &model.guests[index], keys, "guest \(name)", of: "a guest")
        case .del:
            let index = try index(of: name, in: model.guests, \.name, "guest")
            try refuseMore(rest)
            try refuse(references: mirrors { $0.source == .guest(name) }, to: name, "guest")
            model.guests.remove(at: index)
        }
    }

    mutating func `protocol`(_ verb: EditVerb, _ words: [String]) throws(ConfigurationError) {
        let example = "protocol \(verb.rawValue) backup" + (verb == .del ? "" : " match \"tcp 873\" pcp 1")
        let (name, rest) = try name(words, "protocol", example: example)
        let own = model.protocols.firstIndex { $0.name == name }
        switch verb {
        case .add, .set:
            let isBuiltIn = ProtocolSettings.builtIn.contains { $0.name == name }
            if verb == .add, own != nil { try refuse(existing: name, in: model.protocols, \.name, "protocol") }
            if verb == .set, own == nil, !isBuiltIn { _ = try index(of: name, in: model.protocolTable, \.name, "protocol") }
            var draft = own.map { ProtocolDraft(model.protocols[$0]) } ?? ProtocolDraft()
            draft.name = name
            try read(rest, into: &draft, fields.protocolRow, "protocol \(name)", of: "a protocol")
            if let own { model.protocols[own] = draft.row } else { model.protocols.append(draft.row) }
        case .del:
            try refuseMore(rest)
            guard let own else {
                if ProtocolSettings.builtIn.contains(where: { $0.name == name }) {
                    throw ConfigurationError("", "the protocol \(name) is built in and stays: change it with `protocol set \(name) ...`")
                }
                _ = try index(of: name, in: model.protocolTable, \.name, "protocol")
                return
            }
            // Deleting a built-in protocol deletes the operator's changes to it; the built-in row stays.
            if !ProtocolSettings.builtIn.contains(where: { $0.name == name }) {
                let guests = model.guests.filter { $0.protocols[name] != nil }.map { "guest \($0.name)" }
                try refuse(references: guests, to: name, "protocol")
            }
            model.protocols.remove(at: own)
        }
    }

    mutating func fdb(_ verb: EditVerb, _ words: [String]) throws(ConfigurationError) {
        let example = "fdb \(verb.rawValue) 52:54:00:12:34:56" + (verb == .del ? "" : " port vm1")
        let (text, rest) = try name(words, "address", example: example)
        guard let mac = MACAddress(text) else {
            throw ConfigurationError("", "'\(text)' is not a MAC address: write \(example)")
        }
        var draft = (port: String?.none, bridge: String?.none, vlan: Int?.none)
        let keys: [Field<(port: String?, bridge: String?, vlan: Int?)>] = [
            .text("port", \.port, example: "a port's name"), .text("bridge", \.bridge, example: "a bridge's name"),
            .optionalInteger("vlan", \.vlan, VLANSet.identifiers),
        ]
        // The words `dev` and `master`, as `fdb show` and bridge(8) print them, are understood too.
        let synonyms = ["dev": "port", "master": "bridge"]
        let words = rest.enumerated().map { place, word in place % 2 == 0 ? synonyms[word] ?? word : word }[...]
        // A printed line may end in `static`, which is what every entry made by this command is; the word is dropped.
        try read(words.count % 2 == 1 && words.last == "static" ? words.dropLast() : words, into: &draft, keys, "fdb \(mac)", of: "an entry")
        switch verb {
        case .add:
            guard let name = draft.port else { throw ConfigurationError("fdb \(mac)", "an entry needs a port: write \(example)") }
            let port = model.ports[try index(of: name, in: model.ports, \.name, "port")]
            if let bridge = draft.bridge, bridge != port.bridge {
                throw ConfigurationError("fdb \(mac)", "the port \(name) is on bridge \(port.bridge), not on \(bridge)")
            }
            let index = try index(of: port.bridge, in: model.bridges, \.name, "bridge")
            model.bridges[index].staticEntries.append(StaticEntry(mac: mac, port: name, vlan: draft.vlan))
        case .set:
            throw ConfigurationError("", "fdb has no verb 'set': use del, then add")
        case .del:
            var count = 0
            for index in model.bridges.indices where draft.bridge == nil || model.bridges[index].name == draft.bridge {
                let before = model.bridges[index].staticEntries.count
                model.bridges[index].staticEntries.removeAll {
                    $0.mac == mac && (draft.port == nil || $0.port == draft.port) && (draft.vlan == nil || $0.vlan == draft.vlan)
                }
                count += before - model.bridges[index].staticEntries.count
            }
            if count == 0 { throw ConfigurationError("", "there is no static entry \(mac): learned ones age by themselves") }
        }
    }
}
