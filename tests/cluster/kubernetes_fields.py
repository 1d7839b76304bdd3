"""The fields of Kubernetes' and KubeRay's objects that the manifests of this repository use, strictly: what is spelled
otherwise, or is in another place, is no field. Those of a RayCluster are in KubeRay's definitions of
releases 1.5.1 to 1.7.0, and what its operator asks for beside them is needed here.
"""

from __future__ import annotations

from typing import Any

TEXT = {"type": "string", "minLength": 1}
WHOLE = {"type": "integer", "minimum": 0}
YES = {"type": "boolean"}
NAME = {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "maxLength": 63}
PORT = {"type": "integer", "minimum": 1, "maximum": 65535}
PORT_OR_NAME = {"anyOf": [PORT, {**NAME, "maxLength": 15}]}
QUANTITY = {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?(m|Ki|Mi|Gi|Ti|k|M|G|T)?$"}
TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}


def fields(*needed: str, **known: Any) -> dict[str, Any]:
    return {"type": "object", "properties": known, "required": list(needed), "additionalProperties": False}


def several(item: Any) -> dict[str, Any]:
    return {"type": "array", "items": item, "minItems": 1}


def one_of(*texts: str) -> dict[str, Any]:
    return {"enum": list(texts)}


LABELS = fields("matchLabels", matchLabels=TEXTS)
META = fields("name", name=NAME, labels=TEXTS, annotations=TEXTS)
AMOUNTS = fields(cpu=QUANTITY, memory=QUANTITY, storage=QUANTITY)
RESOURCES = fields("requests", requests=AMOUNTS, limits=AMOUNTS)
PROBE = {
    **fields(
        httpGet=fields("port", path=TEXT, port=PORT_OR_NAME),
        tcpSocket=fields("port", port=PORT_OR_NAME),
        periodSeconds=WHOLE,
        timeoutSeconds=WHOLE,
        failureThreshold=WHOLE,
    ),
    "oneOf": [{"required": ["httpGet"]}, {"required": ["tcpSocket"]}],
}
CONTAINER = fields(
    "name",
    "image",
    name=NAME,
    image=TEXT,
    command=several(TEXT),
    args=several(TEXT),
    env=several(fields("name", "value", name=TEXT, value=TEXT)),
    ports=several(fields("containerPort", name={**NAME, "maxLength": 15}, containerPort=PORT)),
    startupProbe=PROBE,
    readinessProbe=PROBE,
    livenessProbe=PROBE,
    resources=RESOURCES,
    securityContext=fields(
        allowPrivilegeEscalation=YES,
        capabilities=fields("drop", drop=several(one_of("ALL"))),
        readOnlyRootFilesystem=YES,
    ),
    volumeMounts=several(fields("name", "mountPath", name=NAME, mountPath=TEXT, readOnly=YES)),
)
VOLUME = fields(
    "name",
    name=NAME,
    configMap=fields("name", name=NAME),
    emptyDir={"type": "object", "maxProperties": 0},
    persistentVolumeClaim=fields("claimName", claimName=NAME, readOnly=YES),
)
POD = fields(
    "containers",
    automountServiceAccountToken=YES,
    hostNetwork=YES,
    securityContext=fields(
        runAsNonRoot=YES,
        runAsUser=WHOLE,
        fsGroup=WHOLE,
        fsGroupChangePolicy=one_of("OnRootMismatch", "Always"),
        seccompProfile=fields("type", type=one_of("RuntimeDefault")),
    ),
    initContainers=several(CONTAINER),
    containers=several(CONTAINER),
    volumes=several(VOLUME),
    topologySpreadConstraints=several(
        fields(
            "maxSkew",
            "topologyKey",
            "whenUnsatisfiable",
            maxSkew=WHOLE,
            topologyKey=TEXT,
            whenUnsatisfiable=one_of("ScheduleAnyway", "DoNotSchedule"),
            labelSelector=LABELS,
        )
    ),
)
TEMPLATE = fields("spec", metadata=fields(labels=TEXTS, annotations=TEXTS), spec=POD)
CLAIM = fields(
    "accessModes",
    "resources",
    accessModes=several(one_of("ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany")),
    resources=fields("requests", requests=AMOUNTS),
    storageClassName=NAME,
)
FROM = fields(podSelector=fields(matchLabels=TEXTS), namespaceSelector=fields(matchLabels=TEXTS))
POLICY_PORT = fields("port", protocol=one_of("TCP"), port=PORT_OR_NAME, endPort=PORT)


def _object(version: str, kind: str, **known: Any) -> dict[str, Any]:
    always = {"apiVersion": one_of(version), "kind": one_of(kind), "metadata": META}
    return fields(*always, *known, **always, **known)


OBJECTS = {
    "ConfigMap": _object("v1", "ConfigMap", data=TEXTS),
    "PersistentVolumeClaim": _object("v1", "PersistentVolumeClaim", spec=CLAIM),
    "Service": _object(
        "v1",
        "Service",
        spec=fields(
            "selector",
            "ports",
            type=one_of("ClusterIP", "LoadBalancer", "NodePort"),
            externalTrafficPolicy=one_of("Local", "Cluster"),
            selector=TEXTS,
            ports=several(fields("port", name={**NAME, "maxLength": 15}, port=PORT, targetPort=PORT_OR_NAME)),
        ),
    ),
    "StatefulSet": _object(
        "apps/v1",
        "StatefulSet",
        spec=fields(
            "serviceName",
            "selector",
            "template",
            serviceName=NAME,
            replicas=WHOLE,
            selector=LABELS,
            template=TEMPLATE,
            volumeClaimTemplates=several(fields("metadata", "spec", metadata=META, spec=CLAIM)),
        ),
    ),
    "NetworkPolicy": _object(
        "networking.k8s.io/v1",
        "NetworkPolicy",
        spec=fields(
            "podSelector",
            podSelector=fields(matchLabels=TEXTS),
            policyTypes=several(one_of("Ingress", "Egress")),
            ingress=several(fields(**{"from": several(FROM), "ports": several(POLICY_PORT)})),
        ),
    ),
    "RayCluster": _object(
        "ray.io/v1",
        "RayCluster",
        spec=fields(
            "headGroupSpec",
            "rayVersion",  # without it the operator takes no tokens
            rayVersion=TEXT,
            authOptions=fields("mode", mode=one_of("token")),
            headGroupSpec=fields("template", rayStartParams=TEXTS, template=TEMPLATE),
            workerGroupSpecs=several(
                fields(
                    "groupName",
                    "minReplicas",  # both, where nothing scales the cluster by itself
                    "maxReplicas",
                    "template",
                    groupName=NAME,
                    replicas=WHOLE,
                    minReplicas=WHOLE,
                    maxReplicas=WHOLE,
                    rayStartParams=TEXTS,
                    template=TEMPLATE,
                )
            ),
        ),
    ),
}
"""By kind, a JSON schema of the whole object."""
