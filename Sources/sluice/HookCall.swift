import Configuration
import ControlAPI
import Libvirt

/// Carries out one call of libvirt's hook.
struct HookCall {
    let hook: LibvirtHook
    let target: LibvirtTarget
    let deadline: ContinuousClock.Instant
    /// Whether the domain is not to run where this fails.
    let isStrict: Bool

    private var part: String { LibvirtConfiguration.partName(hook.domain) }

    func run() throws {
        if hook.action == .nothing { return }
        let xml = try LibvirtFiles.standardInput(until: deadline)
        guard LibvirtFiles.mayConcern(xml) else { return }
        if hook.action == .remove { return try remove() }
        let domain = try LibvirtDomain(xml: xml)
        guard hook.concerns(domain) else {
            throw Failure("the XML on standard input is that of the domain \(domain.name): pass what libvirt gave its hook, unchanged")
        }
        if domain.interfaces.isEmpty {
            if hook.action == .put { try remove() }
            return
        }
        let configuration = try target.configuration(of: domain, until: deadline)
        for note in configuration.notes { Output.error("sluice: domain \(hook.domain): \(note)") }
        if hook.action == .check {
            _ = try target.client(until: deadline).call(Methods.partSet, PartParams(name: part, yaml: configuration.part.yaml, dryRun: true))
        } else {
            _ = try target.put(configuration, as: part, needsAll: isStrict, until: deadline)
        }
    }

    private func remove() throws {
        _ = try target.client(until: deadline).call(Methods.partDel, PartDeletion(name: part, ifThere: true))
    }
}
