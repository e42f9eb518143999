import Configuration

extension LibvirtConfiguration {
    /// The name of the part of the configuration that holds a domain's ports and guests.
    public static func partName(_ domain: String) -> String { Part.name(partPrefix, of: domain) }

    /// The prefix of the names of all parts that belong to domains.
    public static let partPrefix = "libvirt-"
}

extension LibvirtConfiguration {
    /// The domain's ports and guests without what is guaranteed to them, for a bridge that has no room for it: QEMU waits for the other end of its sockets,
    /// so that a domain without ports would not run at all.
    public var withoutFloors: Model {
        func free(_ settings: inout ClassSettings) { (settings.floor, settings.burst, settings.floorPackets) = (nil, nil, nil) }
        var model = part
        for index in model.guests.indices {
            free(&model.guests[index].inbound)
            free(&model.guests[index].outbound)
            for name in model.guests[index].protocols.keys {
                free(&model.guests[index].protocols[name]!.inbound)
                free(&model.guests[index].protocols[name]!.outbound)
            }
        }
        return model
    }
}

extension LibvirtDomain {
    /// The names of the networks that the domain's interfaces inherit from. `LibvirtConfiguration` needs the XML of each.
    public var networks: Set<String> {
        Set(interfaces.compactMap { metadata.interface($0.mac)?.network ?? $0.network })
    }
}
