import Configuration

/// libvirt's `<virtualport>` element (util/virnetdevvportprofile.c): what libvirt would tell another switch of an interface. It is read and inherited; no port
/// or guest of Sluice's takes anything from it.
public struct LibvirtVirtualPort: Equatable, Sendable {
    /// `openvswitch`, `802.1Qbg`, ...; nil: whatever the network's is.
    public var type: String?
    /// `profileid`, `interfaceid`, ...
    public var parameters: [String: String]

    public init(type: String? = nil, parameters: [String: String] = [:]) { self.type = type; self.parameters = parameters }

    init(_ element: XMLTree) {
        self.init(type: element.attributes["type"], parameters: element.first("parameters")?.attributes ?? [:])
    }

    /// With what `other` says besides; nil where they say different things of the same, which libvirt refuses.
    func merged(_ other: LibvirtVirtualPort) -> LibvirtVirtualPort? {
        if let type, let name = other.type, type != name { return nil }
        var result = LibvirtVirtualPort(type: type ?? other.type, parameters: parameters)
        for (key, value) in other.parameters {
            if let own = parameters[key], own != value { return nil }
            result.parameters[key] = value
        }
        return result
    }
}
