#!/usr/bin/env python3
"""Writes modelled.txt: the errors that AWS's own models name for each operation, from the models that botocore brings.

    pip install botocore && python3 modelled.py > modelled.txt

Names are as Step Functions shows them: Pascal case, and every one ends with "Exception", which is left out here.
"""

import re

import botocore
from botocore.loaders import Loader

# As `aws-sdk:NAME` has it; how botocore names its model where that differs; of services with hundreds of operations, those
# that workflows use.
SERVICES = """
    athena, batch, bedrockruntime=bedrock-runtime, codebuild, dynamodb, ecs/(run|start|stop|describe|list)Task, eventbridge=events,
    firehose/put, glue/(start|stop|batchStop|get\\w*Run|getJob|getCrawler), kinesis/(put|get), lambda/invoke, rdsdata=rds-data,
    redshiftdata=redshift-data, rekognition/(detect|start|get|search|index|compare|recognize), s3, sagemaker/create, scheduler,
    secretsmanager, sesv2/send, sfn=stepfunctions, sns, sqs, textract, transcribe, translate/(translate|start)
"""
# What a service says that no SDK has a class for, whatever the model says: as recorded from AWS.
WITHOUT_CLASS = {service: {"Throttling", "Validation"} for service in ("dynamodb", "sns", "sqs")}


def main():
    print(f"# Errors that AWS's models name, from botocore {botocore.__version__} by modelled.py:")
    print("# a service, its operations, and what they may fail with. All names end with Exception.")
    for service in sorted(service.strip() for service in SERVICES.split(",")):
        service, _, wanted = service.partition("/")
        name, _, model = service.partition("=")
        described = Loader().load_service_model(model or name, "service-2")
        alike = {}
        for operation, said in sorted(described["operations"].items()):
            operation = operation[0].lower() + operation[1:]
            if not re.match(wanted, operation):
                continue
            names = {error["shape"].removesuffix("Exception") for error in said.get("errors", [])}
            names = tuple(sorted(names - WITHOUT_CLASS.get(name, set())))
            if names:
                alike.setdefault(names, []).append(operation)
        for names, operations in sorted(alike.items(), key=lambda pair: pair[1]):
            print(f"{name}: {' '.join(operations)} = {' '.join(names)}")


main()
