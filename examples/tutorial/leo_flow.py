from headrace import flow, get_run_logger, task


@task
def log_message(name):
    logger = get_run_logger()
    logger.info(f"Hello {name}!")
    return


@flow(name="leonardo_dicapriflow")
def leonardo_dicapriflow(name: str):
    log_message(name)
    return


leonardo_dicapriflow("Leo")
